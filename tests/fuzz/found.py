"""The bugs that sweeps and hostile files found, each with the test that holds it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """What was wrong with a reader, and the test that was red."""

    reader: str
    what: str
    test: str


_SWEPT, _HOSTILE = "test_bad_input.py", "test_hostile_files.py"
BUGS = (
    Bug(
        "CASME II workbook",
        "of two columns with one name the first was taken",
        f"{_SWEPT}::test_two_columns_of_one_name_are_refused",
    ),
    Bug(
        "CASME II workbook",
        "24 KB of styles took hours",
        f"{_SWEPT}::test_a_part_that_swells_is_refused_before_it_is_parsed",
    ),
    Bug(
        "objective classes",
        "of two classes of one clip the last was taken",
        f"{_SWEPT}::test_a_clip_of_two_objective_classes_is_refused",
    ),
    Bug(
        "protocol TOML",
        "nested arrays and numbers of 5,000 digits were tracebacks, also in corrections and published figures",
        f"{_SWEPT}::test_toml_that_only_a_machine_writes_is_one_error",
    ),
    Bug(
        "published TOML",
        "an error quoted all of a value of thousands of characters",
        f"{_SWEPT}::test_an_error_quotes_no_more_than_a_sentence",
    ),
    Bug(
        "protocol TOML",
        "a suite read files beyond its folder",
        f"{_HOSTILE}::test_a_suite_does_not_name_files_beyond_its_folder",
    ),
    Bug(
        "protocol TOML",
        "a file without end was read until memory ran out, also as predictions",
        f"{_HOSTILE}::test_a_file_without_end_is_not_read_to_its_end",
    ),
    Bug(
        "run on disk",
        "a changed label, class or subject in a manifest was counted in silence",
        f"{_SWEPT}::test_a_manifest_that_says_something_else_than_was_written_is_refused",
    ),
    Bug(
        "run on disk",
        "manifests of another form were tracebacks",
        f"{_SWEPT}::test_a_manifest_of_another_form_is_refused_with_the_key",
    ),
    Bug(
        "run on disk",
        "a run in another run's folder was taken for that run",
        f"{_SWEPT}::test_a_run_in_another_runs_folder_is_refused",
    ),
    Bug(
        "run on disk",
        "a damaged record of a failed fold was a traceback",
        f"{_SWEPT}::test_a_damaged_record_of_a_failure_still_is_a_failure",
    ),
    Bug(
        "run on disk",
        "what a fold noted of its epochs was counted though it was changed since",
        f"{_SWEPT}::test_notes_of_a_fold_that_changed_since_are_none",
    ),
    Bug(
        "registration",
        "damaged registrations were tracebacks, under run and under forget",
        f"{_SWEPT}::test_a_damaged_registration_is_one_error_and_can_be_forgotten",
    ),
    Bug(
        "identity",
        "a lab signed as 'None', as '3.0' and as ''",
        f"{_SWEPT}::test_a_lab_without_a_name_does_not_sign",
    ),
    Bug(
        "identity",
        "nested JSON was a traceback",
        f"{_SWEPT}::test_an_identity_nested_beyond_reason_is_refused",
    ),
    Bug(
        "replication record",
        "the protocol's name and the folds of clips were believed",
        "test_bundle.py::test_a_signature_does_not_make_false_figures_true",
    ),
    Bug(
        "strangers' predictions",
        "a row whose first cell began with % was taken for a remark, and so not counted",
        "test_foreign.py::test_a_row_behind_a_percent_sign_is_not_left_out_in_silence",
    ),
    Bug(
        "bundle",
        "parameters of another kind were tracebacks; clips tested twice and folds that hold more passed",
        "test_bundle.py::test_facts_that_contradict_are_refused",
    ),
    Bug(
        "bundle",
        "another name of the protocol, rule of selection or number of training clips was replicated",
        "test_bundle.py::test_a_bundle_that_says_something_else_of_its_run_is_not_replicated",
    ),
    Bug(
        "replication record",
        "a lab that spelt its key in capitals counted twice, and the home's own record as somebody else's",
        "test_bundle.py::test_a_lab_does_not_count_twice_by_spelling_its_key_otherwise",
    ),
    Bug(
        "replication record",
        "a signed record without a run, or with lists for names, was a traceback",
        "test_bundle.py::test_a_signature_does_not_make_false_figures_true",
    ),
    Bug(
        "stored clip",
        "frame rates up to 1e308 were believed",
        f"{_HOSTILE}::test_what_does_not_fit_together_is_refused_though_the_seal_fits",
    ),
    Bug(
        "stored clip",
        "groups in place of arrays and endless numbers were tracebacks, arrays left out or packed filled the memory",
        f"{_HOSTILE}::test_a_dataset_that_is_none_or_swells_is_refused",
    ),
    Bug(
        "stored clip",
        "arrays that do not fit each other were handed on",
        f"{_HOSTILE}::test_what_does_not_fit_together_is_refused_though_the_seal_fits",
    ),
    Bug(
        "cached input",
        "what is no array under a seal that fits was a traceback, as were a header cut short and a damaged recipe.json",
        f"{_HOSTILE}::test_a_cached_input_that_is_no_array_is_made_again",
    ),
    Bug(
        "weights",
        "a kilobyte that pretends to be terabytes was looked through",
        f"{_HOSTILE}::test_tensors_that_are_not_plain_numbers_are_refused",
    ),
    Bug(
        "weights",
        "nested JSON in what a file says of itself was a traceback",
        f"{_HOSTILE}::test_what_a_file_says_of_itself_may_be_anything",
    ),
    Bug(
        "weights",
        "torch's warnings of old formats reached standard error",
        f"{_HOSTILE}::test_old_formats_are_read_or_refused_without_a_word_of_torch",
    ),
    Bug(
        "weights",
        "subjects given as one text were compared letter by letter, so that nobody was found",
        f"{_HOSTILE}::test_provenance_of_another_form_is_refused",
    ),
    Bug(
        "frames",
        "parts of a JPEG that its decoder made up were taken for pixels, and libjpeg wrote on standard error",
        f"{_HOSTILE}::test_damage_that_a_decoder_fills_in_is_said",
    ),
    Bug(
        "frames",
        "a file of a kilobyte that states a billion pixels was decoded",
        f"{_HOSTILE}::test_a_small_file_that_states_a_huge_image_is_not_decoded",
    ),
    Bug(
        "SMIC folders",
        "control characters and line ends in names of files reached the terminal",
        f"{_HOSTILE}::test_what_is_printed_of_names_is_text_on_its_own_line",
    ),
)

KEPT: dict[str, tuple[int, ...]] = {"cached input": (41, 83)}
"""By reader, seeds of inputs that found something with these generators: the fast suite replays them."""
