"""Who is responsible for a pool's workers (contracts of the queue, 4.1 and 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tcworker.embedded.faults import ApiError, bad_input, not_found
from tcworker.embedded.schemas import Checker
from tcworker.embedded.worker_manager.bodies import CLOUD_CONFIG, STATIC_CONFIG
from tcworker.embedded.worker_manager.pools import NULL_PROVIDER
from tcworker.embedded.worker_manager.proofs import Claim, ProofKeys, check_aws, check_azure, check_google
from tcworker.interfaces import JSON

STATIC = "static"

_CONFIGS: Mapping[str, Checker] = {STATIC: Checker(STATIC_CONFIG), NULL_PROVIDER: Checker({"type": "object"})}
_CLOUD_CONFIG = Checker(CLOUD_CONFIG)


@dataclass(frozen=True)
class Provider:
    """A cloud, or another one who is responsible for workers; its id is the name of its kind.

    @ivar check_proof: compares what a machine shows with what is recorded, and raises C{BadProof}; C{None} for the
        static provider and for that of pools which are given up.
    @ivar is_set_up: whether there is anything by which it knows its machines.
    """

    provider_id: str
    check_proof: Callable[[Claim], None] | None = None
    is_set_up: bool = True

    @property
    def is_static(self) -> bool:
        """Whether somebody says by hand which workers there are."""
        return self.provider_id == STATIC

    def check_config(self, config: JSON) -> None:
        """Raise L{ApiError} if a pool of it cannot have such a configuration."""
        _CONFIGS.get(self.provider_id, _CLOUD_CONFIG).check(config)


class Providers:
    """All providers that there are."""

    def __init__(self, keys: ProofKeys) -> None:
        clouds = [
            Provider("aws", partial(check_aws, keys.aws or {}), keys.aws is not None),
            Provider("azure", partial(check_azure, keys.azure or ()), keys.azure is not None),
            Provider("google", partial(check_google, keys.google) if keys.google else None, keys.google is not None),
        ]
        self._all = {one.provider_id: one for one in (*clouds, Provider(NULL_PROVIDER), Provider(STATIC))}

    def for_pool(self, provider_id: str) -> Provider:
        """Give the provider that somebody wants for a pool. Raises L{ApiError} (400 or 503)."""
        if provider_id not in self._all:
            raise bad_input(f"Invalid Provider {provider_id}: the valid ones are {', '.join(self._all)}")
        return self.get(provider_id)

    def get(self, provider_id: str) -> Provider:
        """Give a provider. Raises L{ApiError} (404 or 503)."""
        provider = self._all.get(provider_id)
        if provider is None:
            raise not_found(f"Provider {provider_id} does not exist")
        if not provider.is_set_up:
            message = f"Provider {provider_id} has no keys by which it would know its machines: it is of no use here."
            raise ApiError("ProviderSetupFailed", message)
        return provider

    def for_machine(self, provider_id: str) -> Provider:
        """Give the provider of a cloud. Raises L{ApiError}."""
        provider = self.get(provider_id)
        if provider.check_proof is None:
            raise bad_input(f"Provider {provider_id} is of no cloud: it has no machines.")
        return provider

    def to_json(self) -> list[tuple[str, JSON]]:
        """Give all that pools can have as they are answered, each with its id."""
        ids = [name for name in self._all if name != NULL_PROVIDER]
        return [(name, {"providerId": name, "providerType": name}) for name in ids]
