"""The audits that ask what a score is evidence of: action units, motion, or what labels say by chance."""

from typing import Any

import click

from mebench.verbs.console import (
    FOLDER,
    UNFINISHED,
    command_line,
    data_options,
    draw,
    emit,
    home_option,
    jobs_of,
    jobs_option,
    json_option,
    options_of,
)

_PARTIAL = click.option("--allow-partial", is_flag=True, help="Although clips of the release are missing.")
_run_options = options_of(
    click.argument("model"),
    click.option("--protocol", required=True, help="A protocol or a TOML file."),
    data_options,
    _PARTIAL,
    click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Seeds of the run, from 0."),
    click.option("--preset", metavar="NAME", help="Parameters as a publication used them."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
)


@click.command()
@click.option("--protocol", required=True, help="A protocol or a TOML file.")
@data_options
@_PARTIAL
@json_option
@home_option
def units(**options: Any) -> int:
    """What human action-unit codes tell of the classes: the level of a perfect detector; needs no frame."""
    from mebench.audit.units import UnitsQuestion, audit_units
    from mebench.progress import bar

    with bar(f"audit units {options['protocol']}") as progress:
        found = audit_units(UnitsQuestion.of(options, command_line()), progress)
    emit(found.record()) if options["as_json"] else draw(found.table())
    return 0


@click.command()
@_run_options
@jobs_option
@json_option
@home_option
def motion(**options: Any) -> int:
    """How much of MODEL's score is motion: beside it on the onset frame alone, on duration, on shuffled frames."""
    from mebench.audit.motion import audit_motion
    from mebench.audit.own_run import request_of
    from mebench.progress import bar

    with bar(f"audit motion {options['model']}") as progress:
        card = audit_motion(request_of(options), jobs=jobs_of(options["jobs"]), progress=progress)
    emit(card.record()) if options["as_json"] else draw(card.table())
    return 0 if card.complete else UNFINISHED


@click.command()
@click.argument("model")
@click.option("--data", required=True, metavar="DATASET=DIR", help="Raw clips, which begin before the onset.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--unit", "units", multiple=True, type=int, help="An action unit; repeatable [ten frequent ones].")
@click.option("--amplitude", "amplitudes", multiple=True, type=float, help="px; repeatable [.125 .25 .5 1 2].")
@click.option("--frames", type=click.IntRange(5), default=17, show_default=True, help="Frames of a stretch.")
@click.option("--magnify", default="", metavar="METHOD:FACTOR", help="Magnify the aligned frames: phase:6.")
@click.option("--preset", metavar="NAME", help="Parameters as a publication used them.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable.")
@click.option("--draws", type=click.IntRange(20), default=400, show_default=True, help="Of subjects, for the interval.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--figure", type=FOLDER, help="Draw the curves into this PNG file.")
@click.option("--estimate", is_flag=True, help="Make the inputs of one stretch and say how long all will take.")
@jobs_option
@json_option
@home_option
def sensitivity(**options: Any) -> int:
    """The least motion MODEL detects, per action unit: rendered motion put into raw frames; says nothing of faces."""
    from mebench.audit.sensitivity import SensitivityQuestion, audit_sensitivity
    from mebench.progress import bar

    question = SensitivityQuestion.of(options)
    with bar(f"audit sensitivity {options['model']}") as progress:
        report = audit_sensitivity(question, jobs=jobs_of(options["jobs"]), progress=progress)
    if options["figure"] and report.units:
        options["figure"].write_bytes(report.picture())
    emit(report.record()) if options["as_json"] else draw(report.table())
    return 0 if report.complete else UNFINISHED


@click.command()
@_run_options
@click.option(
    "--permutations", type=click.IntRange(1, 99_999), default=199, show_default=True, help="How many at most."
)
@click.option(
    "--alpha", type=click.FloatRange(0, 0.5, min_open=True), default=0.05, show_default=True, help="The level of p."
)
@click.option("--stop-after", type=click.IntRange(1), help="Stop when so many reached the score (Besag & Clifford).")
@click.option("--estimate", is_flag=True, help="Time one fold, say how long all will take, and draw nothing.")
@click.option("--fresh", is_flag=True, help="Discard the permutations drawn so far.")
@jobs_option
@json_option
@home_option
def null(**options: Any) -> int:
    """What MODEL scores where labels say nothing: permuted within subjects and fitted again; the command resumes."""
    from mebench.audit.null import NullQuestion, audit_null
    from mebench.audit.own_run import request_of
    from mebench.progress import bar

    question = NullQuestion(
        request_of(options),
        options["permutations"],
        options["alpha"],
        options["stop_after"],
        estimate=options["estimate"],
        fresh=options["fresh"],
    )
    with bar(f"audit null {options['model']}") as progress:
        report = audit_null(
            question,
            jobs=jobs_of(options["jobs"]),
            progress=progress,
            say=lambda text: click.echo(text, err=True),
        )
    emit(report.record()) if options["as_json"] else draw(report.table())
    return 0 if report.complete or options["estimate"] else UNFINISHED
