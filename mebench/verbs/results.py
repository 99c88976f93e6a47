"""The verbs that read what was predicted: scores, boards, tests, explanations, bundles, manuscripts."""

from pathlib import Path
from typing import Any

import click

from mebench.errors import UsageError
from mebench.verbs.console import (
    FOLDER,
    UNFINISHED,
    data_options,
    draw,
    emit,
    home_option,
    jobs_of,
    jobs_option,
    json_option,
    screen,
    tell,
)


@click.command()
@click.argument("file", type=FOLDER)
@click.option("--protocol", required=True, help="A protocol or a TOML file.")
@data_options
@click.option(
    "--column", "--map", "columns", multiple=True, metavar="FIELD=COLUMN",
    help="Columns of FILE: clip, predicted, truth, dataset, subject ...; #1, #2 where it has no header.",
)  # fmt: skip
@click.option("--class", "classes", multiple=True, metavar="VALUE=CLASS", help="What a value means; repeatable.")
@click.option("--classes", "class_list", metavar="LIST", help="0=A,1=B,..., or all classes in the order of numbers.")
@json_option
def score(**options: Any) -> int:
    """Score someone else's predictions: our CSV, mapped columns, or a MEGC submission log."""
    from mebench.scorecard import score_file

    card = score_file(options)
    if options["as_json"]:
        emit(card.record())
    else:
        for table in card.tables():
            draw(table)
    return 0 if card.complete else UNFINISHED


@click.command()
@click.option("--protocol", help="Only this protocol or suite.")
@click.option(
    "--format", "form", type=click.Choice(["md", "html", "csv", "tex"]), help="Another form than the terminal's."
)
@click.option("-o", "--output", type=FOLDER, help="Write to a file.")
@click.option("--reference", metavar="MODEL", help="html: what differences are taken to [flow-svm, else constant].")
@click.option("--published", is_flag=True, help="Figures in print too, as a section apart, never ranked.")
@json_option
@home_option
def leaderboard(**options: Any) -> int:
    """Every run, one table per board."""
    from mebench.standing import leaderboard_text, page

    form = "json" if options["as_json"] else options["form"]
    home, protocol, published = options["home"], options["protocol"], options["published"]
    if options["reference"] and form != "html":
        raise UsageError("--reference belongs to the page.", "Add --format html, or use mebench compare.")
    if form == "html":
        text = page(home, protocol, reference=options["reference"], published=published)
    else:
        width, colour = screen()
        text = leaderboard_text(home, protocol, form, width=width, colour=colour, published=published)
    if options["output"]:
        from mebench.files import write_text_atomic

        write_text_atomic(options["output"], text)
    else:
        click.echo(text, nl=not text.endswith("\n"))
    return 0


@click.command()
@click.argument("protocol")
@data_options
@click.option("--epochs", default="1,10,100", show_default=True, help="Numbers of epochs to choose the best of.")
@click.option("--guess", type=click.Choice(["uniform", "prior"]), default="prior", show_default=True)
@click.option("--repetitions", type=click.IntRange(2), default=200, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def peeking(**options: Any) -> int:
    """What guessing scores under PROTOCOL where the best epoch is kept per tested subject."""
    from mebench.peeking import peeking_request

    found = peeking_request(options)
    emit(found.record()) if options["as_json"] else draw(found.table())
    return 0


@click.command()
@click.argument("names", metavar="RUN RUN [RUN]...", nargs=-1, required=True)
@click.option("--reference", metavar="RUN", help="What the others are compared with [the first].")
@click.option(
    "--metric", type=click.Choice(["uf1", "uar", "accuracy", "weighted_f1"]), default="uf1", show_default=True
)
@click.option("--dataset", default="all", show_default=True, help="One corpus of the protocol.")
@click.option("--margin", type=click.FloatRange(0, 1, min_open=True), help="Test equivalence within this difference.")
@click.option(
    "--estimand",
    type=click.Choice(["method", "predictions"]),
    default="method",
    show_default=True,
    help="Of the method with new subjects and seeds, or of these predictions on new subjects.",
)
@json_option
@home_option
def compare(**options: Any) -> int:
    """Runs of one board against the first: paired test, interval, Holm, who comes first, what could have shown."""
    from mebench.comparing import Terms, compare_runs

    terms = Terms(options["dataset"], options["metric"], options["estimand"], options["margin"])
    found = compare_runs(options["home"], options["names"], options["reference"], terms)
    emit(found.record()) if options["as_json"] else draw(found.table())
    return 0


@click.command()
@click.argument("run")
@click.option("--clip", metavar="ID", help="What in this clip spoke for its predicted class.")
@click.option("--fold", multiple=True, metavar="ID", help="Of a network: only what this fold held out; repeatable.")
@click.option("--against", metavar="RUN", help="Of a network: beside another run on the same clips.")
@click.option("--at", nargs=2, type=click.FloatRange(0, 1), help="With --clip: what place X Y of the face attends to.")
@click.option("--curves/--no-curves", default=True, help="Of a network: delete and insert parts of images [yes].")
@click.option("--seed", type=click.IntRange(0), help="Which seed of the run [its lowest].")
@click.option("-o", "--output", type=FOLDER, help="The folder to write to [explain, beside the run's seeds].")
@data_options
@jobs_option
@json_option
@home_option
def explain(**options: Any) -> int:
    """Which features, and where on the face, the models of RUN lean on: pictures, a CSV and tables.

    Of a linear model the weights of its features. Of a network where its attribution falls, and on a synthetic corpus
    whether that is where skin moved.
    """
    from mebench.attribution.asking import explained
    from mebench.progress import bar
    from mebench.refit import Question

    with bar(f"explain {options['run']}") as progress:
        found = explained(options, jobs=jobs_of(options["jobs"]), progress=progress)
    files = found.write(options["output"] or Question.of(options).folder)
    if options["as_json"]:
        emit({**found.record(), "files": [str(path) for path in files]})
    else:
        for table in found.tables():
            draw(table)
        tell("\n".join(map(str, files)))
    return 0


@click.command()
@click.argument("run")
@click.option("-o", "--output", required=True, type=FOLDER, help="The bundle to write, a zip file.")
@json_option
@home_option
def export(run: str, output: Path, home: Path, as_json: bool) -> int:  # noqa: FBT001
    """Write RUN as a bundle for another lab to repeat: no frame, no feature, no label."""
    from mebench.export import export_run
    from mebench.runs import find_run

    made = export_run(find_run(home, run))
    made.bundle.write(output)
    emit({**made.record(), "file": str(output)}) if as_json else tell(made.text(output))
    return 0


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", required=True, type=FOLDER, help="The folder to write to.")
@json_option
@home_option
def paper(runs: tuple[str, ...], output: Path, home: Path, as_json: bool) -> int:  # noqa: FBT001
    """Tables, figures, methods, BibTeX and a checklist of finished runs, as LaTeX that compiles."""
    from mebench.manuscript.folder import write_manuscript

    files = write_manuscript(home, runs, output)
    if as_json:
        emit({"schema": "mebench.paper/1", "files": [str(path) for path in files]})
    else:
        tell("\n".join(map(str, files)))
    return 0
