"""The verbs on a corpus: look it over, store it, write a synthetic one, forget it."""

import sys
from collections.abc import Callable
from typing import Any

import click

from mebench.errors import UsageError
from mebench.verbs.console import (
    FOLDER,
    UNFINISHED,
    emit,
    executor_options,
    home_option,
    jobs_of,
    jobs_option,
    json_option,
    tell,
)


@click.command()
@click.argument("dataset")
@click.option("--data", required=True, type=FOLDER, help="The corpus folder.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--deep", is_flag=True, help="Decode every frame, to find broken ones.")
@json_option
def check(**options: Any) -> int:
    """Layout, annotation version, counts, missing or broken frames of DATASET."""
    from mebench import check as checking
    from mebench.corpora import dataset as reader
    from mebench.progress import bar

    corpus, root = reader(options["dataset"]), options["data"]
    table = corpus.load(root, annotation=options["annotation"], corrections=not options["no_corrections"])
    with bar(f"check {corpus.name}") as progress:
        report = checking.check(corpus, root, table, deep=options["deep"], progress=progress)
    emit(report.record()) if options["as_json"] else tell(report.text())
    return 0 if report.ok else 1


@click.command()
@click.argument("dataset")
@click.option("--data", required=True, type=FOLDER, help="The corpus folder.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--variant", help="Which copy of the frames, where several lie there.")
@click.option(
    "--on-missing-face",
    type=click.Choice(["error", "exclude", "nearest"]),
    default="error",
    show_default=True,
    help="What to do where no face is found on the onset frame.",
)
@click.option(
    "--on-several-faces",
    type=click.Choice(["best", "error"]),
    default="best",
    show_default=True,
    help="What to do where more than one is found.",
)
@click.option("--faces", default="dlib", show_default=True, help="Which registered finder looks for faces.")
@click.option("--landmarks", type=FOLDER, help="A CSV file of landmarks on onset frames: its clips are not searched.")
@jobs_option
@executor_options
@json_option
@home_option
def prepare(**options: Any) -> int:
    """Find faces, landmarks and head motion in DATASET, and store the face crops."""
    from mebench.corpora import dataset as reader
    from mebench.executors import chosen
    from mebench.prepare import prepare as run_prepare
    from mebench.progress import bar

    corpus = reader(options["dataset"])
    places = [options["home"], options["data"].absolute()]
    with chosen(options["executor"], options["scheduler"], places), bar(f"prepare {corpus.name}") as progress:
        report = run_prepare(
            corpus,
            options["data"],
            options["home"],
            annotation=options["annotation"],
            corrections=not options["no_corrections"],
            variant=options["variant"],
            jobs=jobs_of(options["jobs"]),
            on_missing_face=options["on_missing_face"],
            on_several_faces=options["on_several_faces"],
            faces=options["faces"],
            landmarks=options["landmarks"],
            progress=progress,
        )
    emit(report.record()) if options["as_json"] else tell(report.text())
    return 0 if report.complete else UNFINISHED


@click.command()
@click.argument("dataset", type=click.Choice(["casme2", "samm", "smic", "ck-plus", "jaffe"]))
@click.argument("out", type=FOLDER)
@click.option("--tier", type=click.Choice(["smoke", "calibrated", "stress"]), default="smoke", show_default=True)
@click.option("--renderer", help="Who draws it [portrait].")
@click.option("--factor", help="What the stress tier varies: yaw, noise, blur, compression, fps, amplitude, ...")
@click.option("--level", type=float, help="How far: degrees, grey levels, px, JPEG quality, frames.")
@click.option("--subjects", type=click.IntRange(1), help="Subjects [8; of the calibrated tier all].")
@click.option("--clips", type=click.IntRange(1), help="Clips in all [about ten per subject; calibrated: all].")
@click.option("--amplitude", type=click.FloatRange(0, 20), help="Motion at apex, px [1; calibrated 1.6; posed 6].")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@jobs_option
@json_option
def synth(**options: Any) -> int:
    """Write a synthetic corpus in the layout of DATASET, with its ground truth beside it."""
    from mebench.clips import mark_record
    from mebench.progress import bar
    from mebench.synth.corpus import write_corpus
    from mebench.synth.macro import DATASETS, write_macro

    as_json, jobs = options.pop("as_json"), jobs_of(options.pop("jobs"))
    posed = options["dataset"] in DATASETS
    write: Callable[..., Any] = write_macro if posed else write_corpus
    if posed:
        if options.pop("clips") is not None:
            raise UsageError(f"{options['dataset']} is of single images.", "Leave out --clips; give --subjects.")
        _refuse_tiers(options)
    with bar(f"synth {options['dataset']}") as progress:
        given = {key: value for key, value in options.items() if value is not None}
        mark = write(given.pop("dataset"), given.pop("out"), jobs=jobs, progress=progress, **given)
    if as_json:
        emit(mark_record(mark))
    else:
        what = "stills" if posed else "clips"
        tell(f"{mark.clips} {what} of {mark.subjects} rendered subjects in {options['out']} (SYNTHETIC).")
    return 0


def _refuse_tiers(options: dict[str, Any]) -> None:
    """Takes out of the options what corpora of stills do not have; UsageError where any of it was given."""
    given = {name: options.pop(name) for name in ("tier", "renderer", "factor", "level")}
    if given["tier"] != "smoke" or any(given[name] is not None for name in ("renderer", "factor", "level")):
        raise UsageError(f"{options['dataset']} has one tier and one renderer.", "Leave out --tier and what varies it.")


@click.command()
@click.argument("dataset")
@click.option("--subject", metavar="S", help="Only this person, in every modality of the corpus.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
@json_option
@home_option
def forget(**options: Any) -> int:
    """Remove everything derived from DATASET, or from one person in it; the corpus' own folder is not touched."""
    from mebench.forget import forget as remove_traces
    from mebench.forget import plan

    wanted = (options["home"], options["dataset"], options["subject"])
    if not options["yes"] and (planned := plan(*wanted)).traces:
        tell(planned.text(), err=True)
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked whether to remove this.", "Give --yes.")
        if not click.confirm("Remove it?", err=True):
            tell("Nothing was removed.", err=True)
            return 0
    forgotten = remove_traces(*wanted)
    emit(forgotten.record()) if options["as_json"] else tell(forgotten.text())
    return 0
