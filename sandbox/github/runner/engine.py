"""From an event to finished workflow runs: which files start, and their jobs in order."""

import logging
import queue
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sandbox.github import urls
from sandbox.github.auth import Actor, issue_token, revoke
from sandbox.github.oidc import job_claims
from sandbox.github.runner import registry
from sandbox.github.runner.context import RunInfo
from sandbox.github.runner.environments import EnvironmentRefused, environment_secrets
from sandbox.github.runner.evaluation import Scope, condition, render, to_text
from sandbox.github.runner.expressions import ExpressionError
from sandbox.github.runner.groups import Groups
from sandbox.github.runner.job import JobRunner, Result
from sandbox.github.runner.planning import (
    start_of,
    status_functions,
    token_permissions,
    wanted,
)
from sandbox.github.runner.process import Cancellation
from sandbox.github.runner.workflow import (
    EVENTS,
    Concurrency,
    Workflow,
    WorkflowError,
    parse,
)
from sandbox.github.server import Event, Server
from sandbox.github.store import (
    Account,
    ActionsSecret,
    ActionsVariable,
    CheckRun,
    Job,
    Repo,
    Run,
    now,
)
from sandbox.github.store import Workflow as WorkflowRow

BOT = Actor("github-actions[bot]", "job", key="github-actions")
PARALLEL = 4
_log = logging.getLogger(__name__)


class Runner:
    """Listens to a server's events and runs workflows.

    Args:
        server: whose events; keeps runs and logs.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._groups = Groups()
        self._slots = threading.Semaphore(PARALLEL)
        self._running: dict[int, Cancellation] = {}
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._forget_interrupted()
        self._dispatcher = threading.Thread(target=self._dispatch, name="workflows", daemon=True)
        self._dispatcher.start()

    def tell(self, event: Event) -> None:
        """Queue an event."""
        if event.name in EVENTS and event.starts_workflows:
            self._events.put(event)
            if event.name == "pull_request":
                self._events.put(replace(event, name="pull_request_target"))

    def cancel(self, run_id: int) -> None:
        """Cancel a run, if it has not ended."""
        with self._lock:
            if cancellation := self._running.get(run_id):
                cancellation.cancel()

    def stop(self) -> None:
        """Take no more events, end every run and wait for that."""
        self._events.put(None)
        self._dispatcher.join()
        with self._lock:
            self._stopping = True
            threads = list(self._threads)
            for cancellation in self._running.values():
                cancellation.cancel()
        for thread in threads:
            thread.join()

    def _forget_interrupted(self) -> None:
        """Close runs that an earlier process left unfinished."""
        with self._server.store.write() as session:
            for model in (Run, Job):
                unfinished = update(model).where(model.status != "completed")
                session.execute(unfinished.values(status="completed", conclusion="cancelled"))
            jobs = CheckRun.external_id.startswith("job-") & (CheckRun.status != "completed")
            ended = update(CheckRun).where(jobs)
            session.execute(ended.values(status="completed", conclusion="cancelled"))
            session.commit()

    # -- which workflows start

    def _dispatch(self) -> None:
        urls.use(self._server.base_url)
        while (event := self._events.get()) is not None:
            try:
                for run_id, text in self._create_runs(event):
                    self._launch(run_id, text)
            except Exception:  # noqa: BLE001 - logged whole
                # One event must not end the thread that all later ones need.
                _log.exception("could not start workflows for %s", event.name)

    def _create_runs(self, event: Event) -> list[tuple[int, str]]:
        with self._server.store.read() as session:
            repo = session.get_one(Repo, event.repo_id)
        made = []
        with self._server.open(repo.owner, repo.name, BOT) as here:
            start = start_of(here, event)
            if start is None:
                return []
            for path, text in registry.workflow_files(here, start.sha).items():
                if not wanted(event, path, text):
                    continue
                row = registry.row(here, path, text)
                row.runs += 1
                run = Run(
                    repo_id=repo.id,
                    workflow_id=row.id,
                    name=row.name,
                    title=start.title,
                    number=row.runs,
                    event=event.name,
                    ref=start.ref,
                    sha=start.sha,
                    head_branch=start.head_branch,
                    head_sha=start.head_sha,
                    actor=event.actor,
                    payload=event.payload,
                )
                here.session.add(run)
                here.session.flush()
                run.title = self._title(here.session, run, text)
                made.append((run.id, text))
        return made

    def _title(self, session: Session, run: Run, text: str) -> str:
        """Return the result of `run-name`, or the event's own title.

        A fault of the workflow shows when the run starts.
        """
        try:
            workflow = parse(text)
            scope = Scope(self._known(session, run, workflow).shared(), {})
            return to_text(render(workflow.run_name or "", scope)).strip() or run.title
        except (WorkflowError, ExpressionError):
            return run.title

    def _launch(self, run_id: int, text: str) -> None:
        cancellation = Cancellation()
        thread = threading.Thread(target=self._run, args=(run_id, text, cancellation))
        with self._lock:
            if self._stopping:
                return
            self._running[run_id] = cancellation
            self._threads.add(thread)
        thread.start()

    # -- one run

    def _run(self, run_id: int, text: str, cancellation: Cancellation) -> None:
        urls.use(self._server.base_url)
        try:
            self._execute(run_id, text, cancellation)
        except Exception:  # noqa: BLE001 - logged whole; the run must still end
            _log.exception("run %s crashed", run_id)
            self._update(run_id, status="completed", conclusion="startup_failure")
        finally:
            with self._lock:
                self._running.pop(run_id, None)
                self._threads.discard(threading.current_thread())

    def _execute(self, run_id: int, text: str, cancellation: Cancellation) -> None:
        try:
            info = self._info(run_id, parse(text))
        except WorkflowError as error:
            self._refuse(run_id, f"Invalid workflow file: {error}")
            return
        _log.info("run %s: %s for %s started", run_id, info.path, info.event)
        with ExitStack() as stack:
            scope = Scope(info.shared(), {})
            try:
                self._enter_group(stack, info, info.workflow.concurrency, scope, cancellation)
            except ExpressionError as error:
                self._refuse(run_id, f"concurrency: {error}")
                return
            self._update(run_id, status="in_progress")
            conclusions = {self._run_job(info, key, cancellation) for key in info.workflow.jobs}
        conclusion = "success"
        if cancellation.requested:
            conclusion = "cancelled"
        elif "failure" in conclusions:
            conclusion = "failure"
        elif conclusions == {"skipped"}:
            conclusion = "skipped"
        self._update(run_id, status="completed", conclusion=conclusion)
        _log.info("run %s: %s", run_id, conclusion)

    def _enter_group(
        self,
        stack: ExitStack,
        info: RunInfo,
        rules: Concurrency | None,
        scope: Scope,
        cancellation: Cancellation,
    ) -> None:
        if rules is None:
            return
        group = f"{info.owner}/{info.repo}:{to_text(render(rules.group, scope))}"
        stack.enter_context(self._groups.member(group, cancellation))

    def _run_job(self, info: RunInfo, key: str, cancellation: Cancellation) -> str:
        job = info.workflow.jobs[key]
        scope = Scope(info.shared(), status_functions(cancellation))
        job_id = 0
        try:
            due = condition(job.condition, scope)
            name = to_text(render(job.name or key, scope))
            job_id = self._create_job(info, key, name)
            if cancellation.requested and not due:
                result = Result("cancelled")
            elif not due:
                result = Result("skipped")
            else:
                with self._slots:
                    result = self._work(info, key, job_id, cancellation)
        except ExpressionError as error:
            job_id = job_id or self._create_job(info, key, key)
            result = Result("failure", log=f"##[error]{error}\n")
        self._finish_job(info, job_id, result)
        return result.conclusion

    def _work(self, info: RunInfo, key: str, job_id: int, cancellation: Cancellation) -> Result:
        job = info.workflow.jobs[key]
        given = info.workflow.permissions if job.permissions is None else job.permissions
        permissions = token_permissions(given)
        environment = ""
        if job.environment:
            environment = to_text(render(job.environment.name, Scope(info.shared(), {})))
            with self._server.open(info.owner, info.repo, BOT) as here:
                try:
                    secrets = environment_secrets(here, info, environment)
                except EnvironmentRefused as error:
                    return Result("failure", log=f"##[error]{error}\n")
            info = replace(info, secrets={**info.secrets, **secrets})
        may_ask = permissions.pop("id_token", "") == "write"
        with self._server.store.write() as session:
            token = issue_token(
                session,
                "job",
                BOT.login,
                permissions=permissions,
                repositories=[f"{info.owner}/{info.repo}"],
            )
            row = session.get_one(Job, job_id)
            row.status, row.started_at = "in_progress", now()
            session.commit()

        def progress(steps: list[dict[str, Any]]) -> None:
            with self._server.store.write() as session:
                session.get_one(Job, job_id).steps = list(steps)
                session.commit()

        ids = self._server.id_tokens
        claims = job_claims(info.github(), private=info.private, environment=environment)
        asking = ids.open(claims) if may_ask else ""
        try:
            return JobRunner(info, key, token, cancellation, asking).run(progress)
        finally:
            ids.close(asking)
            with self._server.store.write() as session:
                revoke(session, token)
                session.commit()

    # -- rows

    def _info(self, run_id: int, workflow: Workflow) -> RunInfo:
        with self._server.store.read() as session:
            return self._known(session, session.get_one(Run, run_id), workflow)

    def _known(self, session: Session, run: Run, workflow: Workflow) -> RunInfo:
        repo = session.get_one(Repo, run.repo_id)
        secrets = session.scalars(select(ActionsSecret).filter_by(repo_id=repo.id))
        variables = session.scalars(select(ActionsVariable).filter_by(repo_id=repo.id))
        row = session.get_one(WorkflowRow, run.workflow_id)
        accounts = session.scalars(
            select(Account).where(Account.login.in_([repo.owner, run.actor]))
        )
        known = {account.login: str(account.id) for account in accounts}
        return RunInfo(
            run_id=run.id,
            number=run.number,
            owner=repo.owner,
            repo=repo.name,
            event=run.event,
            payload=run.payload,
            ref=run.ref,
            sha=run.sha,
            head_sha=run.head_sha,
            actor=run.actor,
            path=row.path,
            workflow=workflow,
            base_url=self._server.base_url,
            ids={
                "repository_id": str(repo.id),
                "repository_owner_id": known.get(repo.owner, ""),
                "actor_id": known.get(run.actor, ""),
            },
            private=repo.private,
            secrets={secret.name: secret.value for secret in secrets},
            variables={variable.name: variable.value for variable in variables},
        )

    def _update(self, run_id: int, **values: str) -> None:
        with self._server.store.write() as session:
            run = session.get_one(Run, run_id)
            for name, value in values.items():
                setattr(run, name, value)
            run.updated_at = now()
            session.commit()

    def _refuse(self, run_id: int, reason: str) -> None:
        """End a run that cannot start; a job row carries the reason, where people look for it."""
        _log.warning("run %s: %s", run_id, reason)
        with self._server.store.write() as session:
            run = session.get_one(Run, run_id)
            session.add(
                Job(
                    run_id=run_id,
                    repo_id=run.repo_id,
                    key="",
                    name=run.name,
                    status="completed",
                    conclusion="failure",
                    completed_at=now(),
                    log=f"##[error]{reason}\n",
                )
            )
            session.commit()
        self._update(run_id, status="completed", conclusion="startup_failure")

    def _create_job(self, info: RunInfo, key: str, name: str) -> int:
        with self._server.open(info.owner, info.repo, BOT) as here:
            row = Job(run_id=info.run_id, repo_id=here.repo.id, key=key, name=name)
            here.session.add(row)
            here.session.flush()
            page = f"/{here.repo.full_name}/actions/runs/{info.run_id}"
            check = CheckRun(
                repo_id=here.repo.id,
                sha=info.head_sha,
                name=name,
                status="in_progress",
                external_id=f"job-{row.id}",
                details_url=urls.web(page),
            )
            here.session.add(check)
            return row.id

    def _finish_job(self, info: RunInfo, job_id: int, result: Result) -> None:
        with self._server.open(info.owner, info.repo, BOT) as here:
            row = here.session.get_one(Job, job_id)
            row.status, row.conclusion, row.completed_at = "completed", result.conclusion, now()
            row.steps, row.log = result.steps, result.log
            check = here.session.scalars(
                select(CheckRun).filter_by(repo_id=here.repo.id, external_id=f"job-{job_id}")
            ).one()
            check.status, check.conclusion = "completed", result.conclusion
            check.completed_at = now()
