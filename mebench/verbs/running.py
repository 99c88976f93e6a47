"""The verbs that fit models: the demo, a run, a plan of runs, and folds of another lab's run again."""

from pathlib import Path
from typing import Any

import click

from mebench.magnifier import STEPS
from mebench.verbs.console import (
    FOLDER,
    UNFINISHED,
    command_line,
    data_options,
    draw,
    emit,
    executor_options,
    home_option,
    jobs_of,
    jobs_option,
    json_option,
    screen,
    tell,
)


@click.command()
@click.option("--fresh", is_flag=True, help="Start over in a new folder.")
@jobs_option
@home_option
def demo(home: Path, jobs: int | None, fresh: bool) -> int:  # noqa: FBT001
    """Synthetic corpora -> models -> leaderboard; needs no licence."""
    from mebench.demo import demonstrate

    width, colour = screen()
    return demonstrate(home, jobs=jobs_of(jobs), fresh=fresh, echo=click.echo, width=width, colour=colour)


@click.command()
@click.argument("model")
@click.option("--protocol", required=True, help="A protocol, a suite, or a TOML file.")
@click.option("--dataset", "only", multiple=True, help="Only the members of a suite on these corpora; repeatable.")
@data_options
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many seeds, from 0.")
@click.option("--preset", metavar="NAME", help="Parameters as a publication used them; mebench show MODEL lists them.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable.")
@click.option("--shard", metavar="I/N", help="Only every N-th fold, from the I-th; over one shared home.")
@click.option("--allow-partial", is_flag=True, help="Run although clips of the release are missing.")
@click.option("--fresh", is_flag=True, help="Discard what this run has finished and start over.")
@click.option("--estimate", is_flag=True, help="Time one fold and say how long the rest will take.")
@click.option("--folds-at-once", type=click.IntRange(1), help="Folds a network is fitted on at once [as fit; CPU: 1].")
@click.option("--measure-peeking", is_flag=True, help="Measure what the best epoch per held-out subject would claim.")
@click.option(
    "--checkpoint-every",
    type=click.FloatRange(0),
    default=60,
    show_default=True,
    help="Seconds of training that a kill may cost.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@jobs_option
@executor_options
@json_option
@home_option
def run(**options: Any) -> int:
    """Train and test MODEL (a name or file.py:Class) on every fold of a protocol; the same command resumes."""
    from mebench.execute import run_request
    from mebench.executors import chosen
    from mebench.progress import bar
    from mebench.requests import Request

    request = Request.of(options, command=command_line())
    places = [options["home"]]
    with chosen(options["executor"], options["scheduler"], places), bar(f"run {options['model']}") as progress:
        report = run_request(request, jobs=jobs_of(options["jobs"]), progress=progress)
    emit(report.record()) if options["as_json"] else tell(report.text())
    return 0 if report.complete else UNFINISHED


class _Networks(click.Group):
    """Trainings by the name of the network; any name that is not a command of its own is a model's."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The training of the network that is named first."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            return "MODEL", self.get_command(ctx, "MODEL"), args
        return super().resolve_command(ctx, args)


@click.command()
@click.argument("file", type=FOLDER)
@click.option("--estimate", is_flag=True, help="Time one fold of each and say how long the whole will take.")
@click.option("--status", is_flag=True, help="How far it is, whoever is working on it; computes nothing.")
@jobs_option
@executor_options
@json_option
@home_option
def plan(**options: Any) -> int:
    """Run several models, protocols and seeds, as FILE lists them (TOML), as one; the same command resumes."""
    from mebench.executors import chosen
    from mebench.plan import estimate_plan, plan_status, read_plan, run_plan
    from mebench.progress import bar

    if options["estimate"] and options["status"]:
        raise click.UsageError("--estimate and --status do not go together.")
    requests = read_plan(options["file"], options["home"], command_line())
    if options["status"]:
        report = plan_status(requests)
    else:
        work = estimate_plan if options["estimate"] else run_plan
        places, title = [options["home"]], f"plan {options['file'].name}"
        with chosen(options["executor"], options["scheduler"], places), bar(title) as progress:
            report = work(requests, jobs=jobs_of(options["jobs"]), progress=progress)
    emit(report.record()) if options["as_json"] else draw(report.table())
    return 0 if report.complete else UNFINISHED


@click.group(cls=_Networks)
def pretrain() -> None:
    """Train a network for others to start from: MODEL on stills of posed expressions, or the magnifier.

    `mebench pretrain lam --data ck-plus=DIR` and `mebench pretrain magnifier FILE`; each has a --help of its own.
    """


@pretrain.command(name="MODEL")
@click.argument("model")
@click.option("--data", "data", multiple=True, required=True, metavar="CORPUS=DIR", help="Stills; repeatable.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("-o", "--output", type=FOLDER, help="The file to write [into the registry of the home alone].")
@jobs_option
@json_option
@home_option
def pretrain_model(**options: Any) -> int:
    """Train MODEL on stills of posed expressions (mebench list stills), for run --set weights=FILE to start from."""
    from mebench.pretraining import PretrainRequest
    from mebench.pretraining import pretrain as train_first
    from mebench.progress import bar

    request = PretrainRequest.of(options)
    with bar(f"pretrain {options['model']}") as progress:
        report = train_first(request, jobs=jobs_of(options["jobs"]), progress=progress)
    emit(report.record()) if options["as_json"] else tell(report.text())
    return 0


@pretrain.command(name="magnifier")
@click.argument("output", type=FOLDER)
@click.option("--steps", type=click.IntRange(1), default=STEPS, show_default=True, help="The whole of the schedule.")
@click.option("--start", type=FOLDER, help="Go on from these weights, at full difficulty.")
@click.option("--stop", type=click.IntRange(1), help="Stop after this step; the same command without it goes on.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Threads; part of the recipe.")
@json_option
def pretrain_magnifier_verb(**options: Any) -> int:
    """Train the learned magnifier on drawn pairs into OUTPUT, for magnify(learned, weights=OUTPUT).

    A killed training goes on from its last checkpoint. Recipe, log and measured gains stand beside it as JSON.
    """
    from mebench.magnifier.pretraining import MagnifierRequest, pretrain_magnifier
    from mebench.progress import bar

    request = MagnifierRequest.of(options, threads=options["jobs"])
    with bar("pretrain magnifier") as progress:
        report = pretrain_magnifier(request, progress)
    emit(report.record()) if options["as_json"] else tell(report.text())
    return 0


@click.command()
@click.argument("file", type=FOLDER)
@click.option("--folds", type=click.IntRange(1), default=5, show_default=True, help="How many folds to fit again.")
@click.option("--seed", type=click.IntRange(0), help="Draws the folds [bundle and key draw them].")
@click.option("--lab", metavar="NAME", help="Who signs; kept in the home when first given.")
@click.option("--trust", is_flag=True, help="Run the model's source that the bundle brings, on this machine.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("-o", "--output", type=FOLDER, help="The record to write [replication-RUN.json, here].")
@click.option("--import", "add", is_flag=True, help="FILE is a lab's record: enter it beside the run of this home.")
@data_options
@jobs_option
@json_option
@home_option
def replicate(**options: Any) -> int:
    """Fit folds of a bundle again on corpora of one's own, and sign what came of it; or --import such a record."""
    from mebench.files import write_text_atomic
    from mebench.replication import add_record, record_text

    if options["add"]:
        found = add_record(options["home"], options["file"])
        emit(found.record()) if options["as_json"] else tell(found.text())
        return 0
    from mebench.progress import bar
    from mebench.replicate import Wish
    from mebench.replicate import replicate as fit_again

    with bar(f"replicate {options['file'].name}") as progress:
        found = fit_again(Wish.of(options), jobs=jobs_of(options["jobs"]), progress=progress)
    output = options["output"] or Path(f"replication-{found.run}.json")
    write_text_atomic(output, record_text(found))
    emit({**found.record(), "file": str(output)}) if options["as_json"] else tell(f"{found.text()}\n{output}")
    return 0
