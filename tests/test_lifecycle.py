"""The machine of a worker: the whole table, and why a worker says that it went."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tcworker import lifecycle
from tcworker.interfaces import Exit
from tests.machines import Calls, decided, pairs, state_of

EXIT = Exit(72, "asked to")
CLAIMS = ("a claim",)

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "boot_failed": (EXIT,),
    "tasks_claimed": (CLAIMS,),
    "claim_refused": (EXIT,),
    "count_reached": (EXIT,),
    "must_go": (EXIT,),
    "drain": (120.0, EXIT),
    "stop_now": (25.0, EXIT),
}

WAYS: dict[str, list[str]] = {
    "booting": [],
    "claiming": ["booted"],
    "running": ["booted", "slots_taken"],
    "draining": ["booted", "drain"],
    "stopping": ["booted", "stop_now"],
    "stopped": ["booted", "stop_now", "tasks_gone", "closed"],
}

GO = [("stop_claiming", EXIT)]
DRAIN = [("limit_drain", 120.0), ("stop_claiming", EXIT)]
STOP = [("limit", 25.0), ("stop_claiming", EXIT), ("stop_tasks",)]
SHORTEN = [("limit", 25.0), ("stop_tasks",)]

TABLE: dict[tuple[str, str], tuple[str, list[tuple[Any, ...]]]] = {
    ("booting", "booted"): ("claiming", [("claim",)]),
    ("booting", "boot_failed"): ("stopping", GO),
    ("booting", "drain"): ("stopping", DRAIN),
    ("booting", "stop_now"): ("stopping", STOP),
    ("claiming", "tasks_claimed"): ("claiming", [("start", CLAIMS), ("claim",)]),
    ("claiming", "nothing_claimed"): ("claiming", [("rest",)]),
    ("claiming", "claim_failed"): ("claiming", [("back_off",)]),
    ("claiming", "claim_refused"): ("draining", GO),
    ("claiming", "slots_taken"): ("running", []),
    ("claiming", "slot_freed"): ("claiming", [("claim",)]),
    ("claiming", "pause_over"): ("claiming", [("claim",)]),
    ("claiming", "no_room"): ("claiming", [("rest",)]),
    ("claiming", "count_reached"): ("draining", GO),
    ("claiming", "must_go"): ("draining", GO),
    ("claiming", "drain"): ("draining", DRAIN),
    ("claiming", "stop_now"): ("stopping", STOP),
    ("running", "tasks_claimed"): ("running", [("start", CLAIMS), ("claim",)]),
    ("running", "slot_freed"): ("claiming", [("claim",)]),
    ("running", "count_reached"): ("draining", GO),
    ("running", "drain"): ("draining", DRAIN),
    ("running", "stop_now"): ("stopping", STOP),
    ("draining", "tasks_claimed"): ("draining", [("turn_away", CLAIMS)]),
    ("draining", "drain"): ("draining", [("limit_drain", 120.0)]),
    ("draining", "stop_now"): ("stopping", SHORTEN),
    ("draining", "grace_passed"): ("stopping", [("limit", None), ("stop_tasks",)]),
    ("draining", "tasks_gone"): ("stopping", [("close", EXIT)]),
    ("stopping", "tasks_claimed"): ("stopping", [("turn_away", CLAIMS)]),
    ("stopping", "stop_now"): ("stopping", SHORTEN),
    ("stopping", "grace_passed"): ("stopping", [("give_up", EXIT)]),
    ("stopping", "tasks_gone"): ("stopping", [("close", EXIT)]),
    ("stopping", "closed"): ("stopped", [("ended", EXIT)]),
}
"""What happens where, after C{entered} for another state; a pair that is not here keeps the state and does nothing."""


class TheTable(SynchronousTestCase):
    """Every pair of state and input."""

    def setUp(self) -> None:
        self.calls = Calls()
        self.machine: Any = lifecycle.new_worker_machine(self.calls)

    def say(self, *names: str) -> list[tuple[Any, ...]]:
        """Give inputs, and see what the last one brought about."""
        for name in names:
            self.calls.take()
            getattr(self.machine, name)(*ARGUMENTS.get(name, ()))
        return self.calls.take()

    def test_every_pair_is_decided(self) -> None:
        missing = pairs(lifecycle._builder, lifecycle.WorkerInputs) - decided(lifecycle._builder)
        self.assertEqual(missing, set())

    def test_every_pair_does_what_the_table_says(self) -> None:
        for state, name in sorted(pairs(lifecycle._builder, lifecycle.WorkerInputs)):
            self.setUp()
            self.say(*WAYS[state])
            effects = self.say(name)
            after, actions = TABLE.get((state, name), (state, []))
            said = [("entered", after)] if after != state else []
            self.assertEqual((state_of(self.machine), effects), (after, [*said, *actions]), f"{name} in {state}")

    def test_the_first_reason_to_go_stays(self) -> None:
        self.say("booted")
        self.machine.drain(None, Exit(71, "interrupted"))
        self.machine.stop_now(5.0, Exit(72, "terminated"))
        self.say("tasks_gone")
        self.assertEqual(self.say("closed")[-1], ("ended", Exit(71, "interrupted")))

    def test_never_back_from_now_to_graceful(self) -> None:
        self.say("booted", "stop_now")
        self.assertEqual(self.say("drain"), [])
        self.assertEqual(state_of(self.machine), "stopping")
