"""Lambda handler of *Create New Service*, invoked by Kafka through an event source mapping."""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from slipway.actions import create_service
from slipway.config import GitHubCredentials, read_secret
from slipway.observability import logger, metrics
from slipway.runs.consumer import consume
from slipway.runs.run import ActiveRun


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Work on the records of a Kafka event, or on one that was delivered later."""
    return consume(event, context, action=create_service.ACTION, act=_create)


def _create(run: ActiveRun) -> None:
    # PyGithub takes as long to import as boto3: only what gets this far should wait for it.
    from slipway.github.repository import ServicesRepository

    plan = create_service.plan(
        run.message,
        run_url=run.config.run_url(run.run_id),
        reviewers=run.config.team_reviewers,
    )
    repository = ServicesRepository(run.config, partial(_credentials, run.config.github_secret_id))
    refuse_existing = partial(run.refuse_existing_entity, create_service.BLUEPRINT, plan.service)
    with run.lock(plan.service):
        pull = repository.propose(plan.change, admit=refuse_existing)
    run.ledger.record_pull_request(run.run_id, plan.service, pull.number, pull.url)
    if pull.state != "open":
        return  # Merged or closed already: from here on the services repository reports.
    entity = create_service.with_pull_request(plan.entity, pull.url)
    run.add_entity(create_service.BLUEPRINT, entity, volatile=create_service.VOLATILE)
    run.report.waiting_for_merge(pull)


def _credentials(secret_id: str, fresh: bool) -> GitHubCredentials:
    return read_secret(GitHubCredentials, secret_id, fresh=fresh)
