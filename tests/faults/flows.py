"""Define the flows: what people request, and what they do while it runs.

A flow sets up its world, acts, and lets everything settle after each act. The set-up runs in
`world.undisturbed()`, so no fault affects it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from slipway.health.row import execution_name

from tests.faults.installation import POLICY
from tests.faults.wire import Fault, Kind
from tests.faults.world import World
from tests.unit.conftest import set_policy

Flow = Callable[[World], None]
FLOWS: dict[str, Flow] = {}


def flow(act: Flow) -> Flow:
    FLOWS[act.__name__] = act
    return act


# -- create


@flow
def create_and_merge(world: World) -> None:
    world.create()
    world.settle()
    world.merge()
    world.settle()


@flow
def create_and_close(world: World) -> None:
    with world.undisturbed():
        world.create()
        world.settle()
    world.close()
    world.settle()


@flow
def create_with_approval(world: World) -> None:
    set_policy({**POLICY, "rules": POLICY["rules"][1:]})
    run_id = world.create("Production")
    world.settle()
    with world.undisturbed():
        world.decide(run_id, "APPROVE")
    world.settle()


@flow
def create_what_exists(world: World) -> None:
    world.exists("Test")
    world.create()
    world.settle()


@flow
def create_and_cancel_with_the_pull_request_open(world: World) -> None:
    with world.undisturbed():
        run_id = world.create()
        world.settle()
    world.end_run(run_id)
    world.settle()


@flow
def create_and_cancel_while_postponed(world: World) -> None:
    """GitHub accepts no pull request for a while, so the run is postponed."""
    opening = "GitHub POST /api/graphql Propose"
    world.away = {opening: Fault(Kind.THROTTLED_UNTIL, lasting=True)}
    world.wire.given = world.away
    run_id = world.create()
    world.settle_until(lambda: world.is_postponed(run_id))
    world.end_run(run_id)
    world.away = world.wire.given = {}
    world.settle()


# -- by webhook, which Port sends once: the sweep invokes the function for lost requests


@flow
def create_by_webhook(world: World) -> None:
    world.by_webhook = True
    world.create()
    world.settle()
    world.sweep_unreceived()
    world.merge()
    world.settle()


@flow
def upscale_by_large_requests_delivered_twice(world: World) -> None:
    """The bodies are in S3, and SQS delivers each message again after its visibility timeout."""
    world.exists("Test")
    world.by_webhook = world.repeats = True
    world.padding = 256 * 1024
    world.upscale()
    world.settle()
    world.sweep_unreceived()


@flow
def create_whose_message_is_lost(world: World) -> None:
    world.create()
    world.lose_messages()
    world.sweep_unreceived()
    world.merge()
    world.settle()


# -- day 2, without approval


@flow
def upscale_straight(world: World) -> None:
    world.exists("Test")
    world.upscale()
    world.settle()


@flow
def delete_straight(world: World) -> None:
    world.exists("Test")
    world.delete()
    world.settle()


@flow
def dry_run(world: World) -> None:
    world.exists("Test")
    world.upscale(dry_run=True)
    world.settle()


@flow
def nothing_to_do(world: World) -> None:
    set_policy({**POLICY, "limits": {"upscale_service": {"max": 2}}})
    world.exists("Test")
    world.upscale()
    world.settle()


@flow
def a_bad_request(world: World) -> None:
    world.exists("Test")
    world.downscale(step=3)
    world.settle()


@flow
def two_at_once(world: World) -> None:
    """The second run finds the service locked, and names the lock owner."""
    set_policy({**POLICY, "rules": [{"actions": ["*"], "environments": ["*"]}]})
    world.exists("Test")
    with world.undisturbed():
        world.upscale()
        world.settle()
    world.downscale()
    world.settle()


@flow
def delivered_later(world: World) -> None:
    """GitHub is unavailable for a while: the record is postponed and delivered again."""
    world.exists("Test")
    world.outage = ("GitHub", Fault(Kind.THROTTLED_UNTIL, lasting=True))
    world.upscale()
    world.settle()


# -- with approval


@flow
def upscale_approved_in_port(world: World) -> None:
    world.exists()
    run_id = world.upscale()
    world.settle()
    world.decide(run_id, "APPROVE")
    world.settle()


@flow
def downscale_approved_by_api(world: World) -> None:
    world.exists()
    with world.undisturbed():
        run_id = world.downscale()
        world.settle()
    world.decide_by_api(f"{run_id}.1", "APPROVE")
    with world.undisturbed():
        world.settle()


@flow
def delete_approved_by_link(world: World) -> None:
    world.exists()
    run_id = world.delete()
    with world.undisturbed():
        world.settle()
    world.decide_by_link(f"{run_id}.1", "APPROVE")
    world.settle()


@flow
def declined_in_port(world: World) -> None:
    world.exists()
    with world.undisturbed():
        run_id = world.delete()
        world.settle()
    world.decide(run_id, "DECLINE")
    world.settle()


@flow
def reminded_and_expired(world: World) -> None:
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
    world.time_out(run_id)
    world.settle()
    world.time_out(run_id)
    world.settle()


@flow
def reminded_and_approved(world: World) -> None:
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
        world.time_out(run_id)
        world.settle()
    world.decide_by_api(f"{run_id}.1", "APPROVE")
    world.settle()


@flow
def asked_again_because_the_base_moved(world: World) -> None:
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
        world.commit({f"apps/{world.service}/common_values.yaml": "replicas: 4\n"})
        world.decide(run_id, "APPROVE")
    world.settle()
    with world.undisturbed():
        world.decide(run_id, "APPROVE", ask=2)
        world.settle()


@flow
def merged_when_its_check_has_passed(world: World) -> None:
    """The branch of an approved change is behind, then waits for the check of its new commit."""
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
    with world.checked():
        world.decide(run_id, "APPROVE")
        world.settle_until(lambda: world.waits_to_merge(run_id))
        with world.undisturbed():
            world.move_base()
            world.pass_check()
        world.settle_until(lambda: not world.is_behind())
        with world.undisturbed():
            world.pass_check()
        world.settle()


@flow
def cancelled_while_waiting_for_approval(world: World) -> None:
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
    world.end_run(run_id)
    world.settle()


# -- health


def _degrade(world: World, environment: str = "Test", **properties: Any) -> None:
    world.exists(environment, health_url=world.health_url, **properties)
    world.watches = True
    world.port.update_entity("service", world.service, {"health_status": "Degraded"})


@flow
def reported_unhealthy_by_webhook_but_healthy(world: World) -> None:
    """The queue delivers two changes in one batch, and again after its visibility timeout."""
    world.is_unhealthy = lambda: False
    world.by_webhook = world.repeats = True
    _degrade(world)
    world.port.update_entity("service", world.service, {"health_status": "Progressing"})
    world.settle()


@flow
def unhealthy_and_restarted(world: World) -> None:
    world.is_unhealthy = lambda: not world.restarts()
    _degrade(world)
    world.settle()


@flow
def unhealthy_and_rolled_back(world: World) -> None:
    world.at.set_remediation(
        {"strategies": [{"kind": "roll_back", "wait_seconds": 5, "auto_merge": True}]}
    )
    with world.undisturbed():
        world.exists("Test", health_url=world.health_url)
        world.commit({f"apps/{world.service}/common_values.yaml": "replicas: 5\n"})
    world.is_unhealthy = lambda: not any(pull.merged_at for pull in world.pulls())
    world.watches = True
    world.port.update_entity("service", world.service, {"health_status": "Degraded"})
    world.settle()


@flow
def unhealthy_and_scaled_up(world: World) -> None:
    world.at.set_remediation({"strategies": [{"kind": "scale_up", "wait_seconds": 5}]})
    world.is_unhealthy = lambda: not any(pull.merged_at for pull in world.pulls())
    _degrade(world)
    world.settle()


@flow
def unhealthy_and_escalated(world: World) -> None:
    world.at.set_remediation({"mode": "verify"})
    world.is_unhealthy = lambda: True
    _degrade(world)
    world.settle()


@flow
def repaired_after_approval(world: World) -> None:
    world.at.set_remediation({"strategies": [{"kind": "restart", "wait_seconds": 5}]})
    world.is_unhealthy = lambda: not world.restarts()
    _degrade(world, "Staging")
    world.settle()
    world.decide_by_api(f"{execution_name(f'service/{world.service}', 1)}.1", "APPROVE")
    world.settle()


@flow
def repair_is_not_approved(world: World) -> None:
    world.is_unhealthy = lambda: True
    with world.undisturbed():
        _degrade(world, "Staging")
        world.settle()
    world.time_out(execution_name(f"service/{world.service}", 1), "remediation")
    world.settle()
    world.time_out(execution_name(f"service/{world.service}", 1), "remediation")
    world.settle()


@flow
def a_remediation_is_stopped(world: World) -> None:
    world.is_unhealthy = lambda: True
    with world.undisturbed():
        _degrade(world, "Staging")
        world.settle()
        world.stop("remediation", execution_name(f"service/{world.service}", 1))
    world.report_stopped("remediation", execution_name(f"service/{world.service}", 1))
    world.settle()
    world.time_passes(timedelta(minutes=10))
    world.sweep()
    world.settle()


# -- the sweep


@flow
def swept_because_never_received(world: World) -> None:
    world.exists()
    world.upscale()
    world.lose_messages()
    world.time_passes(timedelta(minutes=16))
    world.sweep()
    world.settle()


@flow
def swept_because_on_hold_too_long(world: World) -> None:
    """A step failed permanently while it waited, and no operator resumed it."""
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
        world.stop("approval", run_id, "FAILED")
        world.time_passes(timedelta(hours=73))
    world.sweep()
    world.time_passes(timedelta(hours=1))
    world.sweep()
    world.settle()


@flow
def swept_because_not_merged(world: World) -> None:
    with world.undisturbed():
        world.create()
        world.settle()
        world.time_passes(timedelta(days=28))
    world.sweep()
    world.time_passes(timedelta(days=3))
    world.sweep()
    world.settle()


@flow
def swept_because_not_reported(world: World) -> None:
    """The workflow fails, so the sweep reports the merge."""
    with world.undisturbed():
        world.create()
        world.settle()
        world.reports = False
        world.merge()
        world.time_passes(timedelta(minutes=31))
    world.sweep()
    world.settle()


@flow
def swept_because_closed_unreported(world: World) -> None:
    with world.undisturbed():
        world.create()
        world.settle()
        world.reports = False
        world.close()
        world.time_passes(timedelta(minutes=31))
    world.sweep()
    world.settle()


@flow
def swept_because_of_a_lost_message(world: World) -> None:
    """A person ended a run, but the message about it was lost."""
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
        world.end_run(run_id)
        world.lose_messages()
        world.time_passes(timedelta(minutes=31))
    world.sweep()
    world.settle()
    world.time_passes(timedelta(minutes=31))
    world.sweep()
    world.settle()


@flow
def an_execution_is_stopped(world: World) -> None:
    """EventBridge reports it; the next sweep does the rest."""
    world.exists()
    with world.undisturbed():
        run_id = world.upscale()
        world.settle()
        world.stop("approval", run_id)
    world.report_stopped("approval", run_id)
    world.settle()
    world.time_passes(timedelta(minutes=31))
    world.sweep()
    world.settle()


# -- the services repository


@flow
def reported_by_hand(world: World) -> None:
    """A person starts the workflow for a pull request that was reported before."""
    with world.undisturbed():
        world.create()
        world.settle()
        world.merge()
        world.settle()
    world.run_report(world.pulls()[0], by_hand=True)
    world.settle()
