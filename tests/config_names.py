"""The names of the reference worker's configuration, all of them (contracts of generic-worker, 6).

L{CONFIGURATION} is a configuration of a pool of generic-worker in which each is set, with what is documented there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLAIM = "tests.claims.test_service.OneSlot.test_it_asks_for_one_task_by_its_own_name"
_POOL = "tests.integration.test_reference_config"
_WHOLE = f"{_POOL}.ThePoolOfAnotherWorker.test_it_runs_a_task_and_says_what_has_no_effect"
_CURRENT_USER = "tests.feature.test_run_as_current_user.RunningAsTheWorker"
_MOUNTS = "tests.feature.mounts.test_feature"
_GUARD = "tests.feature.resource_monitor.test_guard"
_USERS = "tests.engine.native.test_users"

EFFECTS: Mapping[str, str] = {
    "accessToken": _WHOLE,
    "allowedHighMemoryDurationSecs": f"{_GUARD}.TheGuard.test_nobody_is_before_it_has_lasted",
    "cachesDir": _WHOLE,
    "capacity": "tests.claims.test_service.ManySlots.test_it_asks_for_as_many_as_are_free",
    "certificate": _WHOLE,
    "cleanUpTaskDirs": f"{_USERS}.RemovalTests.test_kept_for_people_to_look_at",
    "clientId": _WHOLE,
    "createObjectArtifacts": f"{_POOL}.ObjectArtifacts.test_they_are_of_the_object_service",
    "disableNativePayloads": "tests.task.test_acceptance.Choosing.test_a_native_payload_where_they_are_disabled",
    "disableOOMProtection": f"{_GUARD}.WithoutProtection.test_the_one_that_uses_most_is_warned_once",
    "downloadsDir": _WHOLE,
    "enableLiveLog": "tests.server.test_live_log_feature.ARun.test_has_no_address_where_they_are_switched_off",
    "enableMetadata": "tests.feature.test_metadata.Metadata.test_a_pool_that_has_it_switched_off",
    "enableMounts": f"{_MOUNTS}.Judging.test_a_pool_that_has_them_switched_off",
    "enableOSGroups": "tests.feature.test_os_groups.Joining.test_a_pool_that_has_it_switched_off",
    "enableResourceMonitor": "tests.feature.resource_monitor.test_feature.SwitchedOff.test_it_is_simply_off",
    "enableRunTaskAsCurrentUser": f"{_CURRENT_USER}.test_a_pool_that_has_it_switched_off",
    "idleTimeoutSecs": "tests.claims.test_service.WhenIdle.test_it_goes_when_nothing_ran_for_so_long",
    "instanceType": "tests.feature.test_env.Variables.test_where_the_worker_is",
    "maxMemoryUsagePercent": f"{_GUARD}.TheGuard.test_both_limits_count",
    "maxTaskRunTime": "tests.feature.test_max_run_time.MaxRunTime.test_more_than_the_worker_allows",
    "minAvailableMemoryBytes": f"{_GUARD}.TheGuard.test_both_limits_count",
    "numberOfTasksToRun": "tests.claims.test_quota.ACountOfTasks.test_it_goes_after_them",
    "provisionerId": _CLAIM,
    "requiredDiskSpaceMegabytes": "tests.claims.test_service.TooLittleDisk.test_nothing_is_claimed",
    "rootURL": "tests.test_tap.NoTaskcluster.test_it_is_named",
    "runAfterUserCreation": f"{_USERS}.IdentityTests.test_a_program_before_each_task",
    "shutdownMachineOnIdle": "tests.test_exit_statuses.PoweringOff.test_after_being_idle",
    "shutdownMachineOnInternalError": "tests.test_exit_statuses.PoweringOff.test_after_an_internal_error",
    "tasksDir": _WHOLE,
    "workerGroup": _CLAIM,
    "workerId": _CLAIM,
    "workerLocation": "tests.feature.test_env.Variables.test_where_the_worker_is",
    "workerType": _CLAIM,
    "workerTypeMetadata": _WHOLE,
}
"""The names that do something here, each with a test that shows it."""

_PARTS = "tests.test_assemble"
_BAD = "tests.integration.test_bad_tasks"
_SILENT = "tests.feature.test_idle_output.IdleOutput"
_FETCHED = "tests.integration.test_mounts_bad"
_GROUPS = "tests.launcher.test_cgroup"
_COLLECTOR = "tests.cache.test_collector_service"

OWN: Mapping[str, str] = {
    "crashPauseSecs": "tests.integration.test_kills.ATaskThatTakesItDown.test_the_worker_claims_nothing_for_some_time",
    "cachesMaxMegabytes": f"{_COLLECTOR}.HowMuchMayBeKept.test_more_is_thrown_away_though_there_is_room",
    "caBundle": "tests.client.test_http.TLSTests.test_a_server_that_the_bundle_knows",
    "extensions": f"{_PARTS}.Parts.test_each_is_made_of_the_reactor_and_the_configuration",
    "features": f"{_PARTS}.Parts.test_each_is_made_of_the_reactor_and_the_configuration",
    "host": f"{_PARTS}.Workers.test_what_a_host_adds_is_waited_for",
    "idleOutputTimeoutSecs": f"{_SILENT}.test_without_a_time_of_its_own_the_worker_s_holds",
    "inheritEnv": "tests.engine.native.test_execution.SurroundingsTests.test_variables",
    "killGraceSecs": "tests.task.test_service.WithMoreGrace.test_a_task_that_ignores_sigterm_has_more_time",
    "limits.cpus": f"{_GROUPS}_v1.LimitTests.test_cpus",
    "limits.memoryMB": f"{_BAD}.Limits.test_fills_its_memory",
    "limits.pids": f"{_BAD}.Limits.test_forks_until_it_may_not",
    "logs.mask": "tests.integration.test_settings.Logs.test_what_the_operator_names_is_masked",
    "logs.maxMegabytes": "tests.integration.test_settings.Logs.test_what_is_too_long_is_cut_in_its_middle",
    "maxInternalErrors": "tests.claims.test_holding_back.InternalErrorsInARow.test_too_many_end_it",
    "mounts.denyNetworks": f"{_FETCHED}.BadServers.test_an_address_in_a_network_that_is_denied",
    "mounts.maxExtractedMegabytes": f"{_FETCHED}.BadArchives.test_one_that_becomes_too_much",
    "mounts.retrySecs": f"{_FETCHED}.BadServers.test_one_that_nobody_reaches",
    "mounts.strictReadOnly": "tests.integration.test_mounts.StrictFolders.test_nothing_can_be_changed",
    "overlapUploads": "tests.claims.test_service.WithoutOverlap.test_the_next_task_waits_until_the_last_is_published",
    "pulse": "tests.integration.test_worker_pulse.ABroker.test_a_task_that_is_cancelled_ends_at_once",
    "statusPollSecs": "tests.claims.test_statuses.Polling.test_every_so_many_seconds",
    "platforms": f"{_PARTS}.Parts.test_each_is_made_of_the_reactor_and_the_configuration",
    "privateTmp": f"{_USERS}.PrivateTests.test_turned_off",
    "shutdownGraceSecs": "tests.claims.test_service.Booting.test_the_configured_time_counts_as_soon_as_it_is_known",
    "stateDir": "tests.test_tap.BadSettings.test_a_state_directory_in_use",
    "taskUidRange": f"{_USERS}.IdentityTests.test_numbers_of_the_range_in_turn",
    "taskUser": f"{_BAD}.ProcessesOfNobody.test_kills_its_parent",
    "taskUsers": f"{_USERS}.IdentityTests.test_a_user_with_a_home_and_a_group_of_its_own",
}
"""The names that the reference worker does not have, each with a test of what it does."""

NO_EFFECT = frozenset(
    {
        "availabilityZone",
        "d2gConfig",
        "disableReboots",
        "ed25519SigningKeyLocation",
        "enableChainOfTrust",
        "enableInteractive",
        "enableLoopbackAudio",
        "enableLoopbackVideo",
        "enableTaskclusterProxy",
        "headlessTasks",
        "instanceId",
        "interactivePort",
        "livelogExecutable",
        "livelogExposePort",
        "livelogPortBase",
        "loopbackAudioDeviceNumber",
        "loopbackVideoDeviceNumber",
        "privateIP",
        "publicIP",
        "region",
        "sentryProject",
        "taskclusterProxyExecutable",
        "taskclusterProxyPort",
        "wstAudience",
        "wstServerURL",
    }
)
"""The others, for each of which the log says why."""

NOT_EMPTY = ("cachesDir", "downloadsDir", "livelogExecutable", "provisionerId", "tasksDir", "workerGroup")
"""Names that have a default, and may not be set to nothing."""

GONE = ("deploymentId", "checkForNewDeploymentEverySecs")
"""Names that the reference worker had until version 96."""

CONFIGURATION: Mapping[str, Any] = {
    "accessToken": "an-access-token",
    "allowedHighMemoryDurationSecs": 5,
    "availabilityZone": "us-west-2a",
    "cachesDir": "/home/generic-worker/caches",
    "capacity": 1,
    "certificate": "",
    "cleanUpTaskDirs": True,
    "clientId": "worker/aws/123456789012/us-west-2/i-0a1b2c3d4e5f67890",
    "createObjectArtifacts": False,
    "d2gConfig": {"enableD2G": True, "allowPrivileged": False, "gpus": "all", "logTranslation": True},
    "disableNativePayloads": False,
    "disableOOMProtection": False,
    "disableReboots": True,
    "downloadsDir": "/home/generic-worker/downloads",
    "ed25519SigningKeyLocation": "/etc/generic-worker/ed25519_key",
    "enableChainOfTrust": True,
    "enableInteractive": True,
    "enableLiveLog": True,
    "enableLoopbackAudio": True,
    "enableLoopbackVideo": True,
    "enableMetadata": True,
    "enableMounts": True,
    "enableOSGroups": True,
    "enableResourceMonitor": True,
    "enableRunTaskAsCurrentUser": True,
    "enableTaskclusterProxy": True,
    "headlessTasks": True,
    "idleTimeoutSecs": 7200,
    "instanceId": "i-0a1b2c3d4e5f67890",
    "instanceType": "m5.large",
    "interactivePort": 53654,
    "livelogExecutable": "/usr/local/bin/livelog",
    "livelogExposePort": 0,
    "livelogPortBase": 60098,
    "loopbackAudioDeviceNumber": 16,
    "loopbackVideoDeviceNumber": 0,
    "maxMemoryUsagePercent": 90,
    "maxTaskRunTime": 86400,
    "minAvailableMemoryBytes": 524288000,
    "numberOfTasksToRun": 1,
    "privateIP": "10.0.0.7",
    "provisionerId": "proj-example",
    "publicIP": "192.0.2.7",
    "region": "us-west-2",
    "requiredDiskSpaceMegabytes": 10,
    "rootURL": "https://tc.example.com",
    "runAfterUserCreation": "",
    "sentryProject": "generic-worker",
    "shutdownMachineOnIdle": False,
    "shutdownMachineOnInternalError": False,
    "taskclusterProxyExecutable": "/usr/local/bin/taskcluster-proxy",
    "taskclusterProxyPort": 80,
    "tasksDir": "/home",
    "workerGroup": "us-west-2",
    "workerId": "i-0a1b2c3d4e5f67890",
    "workerLocation": '{"cloud": "aws", "region": "us-west-2", "availabilityZone": "us-west-2a"}',
    "workerType": "linux",
    "workerTypeMetadata": {"machine-setup": {"script": "https://example.com/setup.sh"}},
    "wstAudience": "example-net",
    "wstServerURL": "https://tunnel.example.com",
}
