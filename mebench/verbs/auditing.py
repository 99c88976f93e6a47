"""The verbs that try to catch a leak: in a model, in a corpus, in a file of predictions."""

from typing import TYPE_CHECKING, Any

import click

from mebench.verbs.console import FOLDER, data_options, draw, emit, home_option, jobs_of, jobs_option, json_option

if TYPE_CHECKING:
    from mebench.audit.findings import AuditReport


@click.group()
def audit() -> None:
    """Try to catch a model, a corpus or a file of predictions that leaks; exit status 1 where something is caught."""


@audit.command(name="model")
@click.argument("model")
@click.option("--protocol", help="Audit on this protocol's corpora instead of a drawn one.")
@data_options
@click.option("--allow-partial", is_flag=True, help="Although clips of the release are missing.")
@click.option("--preset", metavar="NAME", help="Parameters as a publication used them; mebench show MODEL lists them.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the model; repeatable.")
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; repeatable.")
@click.option(
    "--folds", type=click.IntRange(2), default=5, show_default=True, help="Folds of a protocol, largest first."
)
@click.option("--permutations", type=click.IntRange(0), default=0, help="Refits for the permutation null [none].")
@click.option("--whole-training", is_flag=True, help="Train networks for all their epochs.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws the corpus.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True)
@jobs_option
@json_option
@home_option
def audit_model_verb(**options: Any) -> int:
    """MODEL (a name or file.py:Class), put through what an honest model does not notice."""
    from mebench.audit.model import ModelQuestion, audit_model
    from mebench.progress import bar
    from mebench.verdicts import Identity, keep

    question = ModelQuestion.of({**options, "jobs": jobs_of(options["jobs"])})
    with bar(f"audit {options['model']}") as progress:
        report = audit_model(question, progress)
    code = _audited(report, as_json=options["as_json"])  # said first: a home that is full must not cost the report
    keep(options["home"], Identity(**report.facts["identity"]), report.verdicts, options["protocol"])
    return code


@audit.command(name="dataset")
@click.argument("dataset")
@click.option("--data", required=True, type=FOLDER, help="The corpus folder.")
@click.option("--annotation", help="Which release of the annotation, where several lie there.")
@click.option("--no-corrections", is_flag=True, help="Leave every released value as it is.")
@click.option("--annotation-only", is_flag=True, help="Leave the frames unread.")
@json_option
def audit_dataset_verb(**options: Any) -> int:
    """DATASET against itself: frames that two clips share, people, ranges, labels."""
    from mebench.audit.dataset import DatasetQuestion, audit_dataset
    from mebench.progress import bar

    corrections, frames = not options["no_corrections"], not options["annotation_only"]
    question = DatasetQuestion(options["dataset"], options["data"], options["annotation"], corrections, frames)
    with bar(f"audit {options['dataset']}") as progress:
        report = audit_dataset(question, progress)
    return _audited(report, as_json=options["as_json"])


@audit.command(name="predictions")
@click.argument("file", type=FOLDER)
@click.option("--protocol", required=True, help="A protocol or a TOML file.")
@data_options
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="Columns of FILE: clip, predicted ...")
@click.option("--class", "classes", multiple=True, metavar="VALUE=CLASS", help="Class values of FILE; repeatable.")
@click.option("--claim", "claims", multiple=True, metavar="METRIC=VALUE", help="A figure printed for FILE: uf1=.713.")
@json_option
def audit_predictions_verb(**options: Any) -> int:
    """FILE of predictions against the protocol, the annotation, arithmetic and chance."""
    from mebench.audit.predictions import audit_file, file_question
    from mebench.progress import bar

    with bar(f"audit {options['file']}") as progress:
        report = audit_file(file_question(options), progress)
    return _audited(report, as_json=options["as_json"])


def _audited(report: "AuditReport", *, as_json: bool) -> int:
    emit(report.record()) if as_json else draw(report.table())
    return 0 if report.clean else 1
