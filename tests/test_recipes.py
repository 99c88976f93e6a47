"""Recipes as text: what they mean, what they read, how they are keyed."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mebench import recipes
from mebench.errors import ModelError, UnknownName, UsageError
from mebench.grammar import parse_calls, spell
from mebench.recipes import Recipe, Sample, Step, parse_recipe, step

VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.none(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(blacklist_characters='"', blacklist_categories=["Cs"])),
    ),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(VALUES)
def test_a_value_is_read_back_as_it_was_spelled(value: Any) -> None:
    (call,) = parse_calls(f"f({spell(value)}, key={spell(value)})")
    assert call.positional == (value,)
    assert call.named == (("key", value),)
    assert repr(call.positional[0]) == repr(value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("align", "align"),
        ("align()", "align"),
        ("align(224)", "align"),
        ("align(size=64)>grey", "align(size=64) > grey"),
        ("align( 64 , margin = 8 )  >  grey", "align(size=64, margin=8) > grey"),
        ("align > flow(dis) > strain > resize 28", "align > flow > strain > resize(size=28)"),
        ("onset-apex > magnify(phase, factor=6) > apex", "onset-apex > magnify(factor=6.0) > apex"),
        ("align > flow(tvl1, mode=consecutive)", "align > flow(method=tvl1, mode=consecutive)"),
        ("none", "none"),
    ],
)
def test_a_recipe_has_one_canonical_text(text: str, canonical: str) -> None:
    assert str(parse_recipe(text)) == canonical
    assert str(parse_recipe(canonical)) == canonical
    assert parse_recipe(canonical).digest == parse_recipe(text).digest


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", UsageError, "cannot be read at its end"),
        ("align >", UsageError, "cannot be read at its end"),
        ("> align", UsageError, "cannot be read at '>'"),
        ("align grey tim", UsageError, "cannot be read at 'tim'"),
        ("align(224", UsageError, "cannot be read at its end"),
        ("align(224))", UsageError, r"cannot be read at '\)'"),
        ("align(size=)", UsageError, r"cannot be read at '\)'"),
        ("align(size=224 margin=8)", UsageError, "cannot be read at 'margin'"),
        ("align(size=224, 8)", UsageError, "cannot be read at '8'"),
        ('align("224)', UsageError, "has an open quote"),
        ("alin", UnknownName, "No step named 'alin'.\nDid you mean align?"),
        ("align(sise=3)", UnknownName, "No parameter of step align named 'sise'.\nDid you mean size?"),
        ("align(1, 2, skin, 4)", UsageError, "takes 3 parameters, 4 are given"),
        ("align(1, size=2)", UsageError, "is given size twice"),
        ("align(size=big)", UsageError, "size=big is no int"),
        ("align(size=true)", UsageError, "size=true is no int"),
        ("align(size=2.5)", UsageError, "size=2.5 is no int"),
        ("onset-apex > magnify", UsageError, "Step magnify needs factor"),
        ("onset-apex > magnify(factor=x)", UsageError, "factor=x is no float"),
        ("flow(diss)", UnknownName, "No method of step flow named 'diss'"),
        ("onset-apex > tim(10)", UsageError, "tim takes frames, but onset-apex gives pair"),
        ("strain", UsageError, "strain takes flow, but a stored clip is frames"),
        ("flow > none", UnknownName, "No step named 'none'"),
    ],
)
def test_a_mistake_is_named_before_anything_is_computed(text: str, error: type[UsageError], says: str) -> None:
    with pytest.raises(error, match=says):
        parse_recipe(text)


@pytest.mark.parametrize(
    ("text", "privilege"),
    [
        ("none", "none"),
        ("align", "interval"),
        ("onset", "interval"),
        ("align > tim(10)", "interval"),
        ("align > flow(mode=onset-each)", "interval"),
        ("align > flow(mode=consecutive)", "interval"),
        ("align > flow", "apex"),
        ("align > onset-apex", "apex"),
        ("align > onset-apex > flow > strain", "apex"),
        ("apex", "apex"),
        ("apex(source=middle)", "interval"),
        ("onset-apex(source=middle) > magnify(factor=6) > apex", "interval"),
        ("onset-apex(source=middle) > flow", "interval"),
        ("onset-apex > difference", "apex"),
    ],
)
def test_privilege_follows_from_the_steps(text: str, privilege: str) -> None:
    assert parse_recipe(text).privilege == privilege


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("none", ""),
        ("align > onset > flatten", ""),
        ("align > flow(mode=onset-each)", ""),
        ("align > flow", "coded"),
        ("align > apex > grey", "coded"),
        ("align > apex(source=middle)", "middle"),
        ("onset-apex(source=middle) > apex", "middle"),  # the apex of a pair is there already
        ("onset-apex(source=middle) > flow", "middle"),
        ("onset-apex > difference", "coded"),
    ],
)
def test_a_recipe_says_whose_apex_it_takes(text: str, source: str) -> None:
    assert parse_recipe(text).apex_source == source


class TestKey:
    def key(self, text: str = "align > onset-apex", **changes: Any) -> str:
        given = {"stored": "s", "interval": (1, 9), "apex": 5} | changes
        return parse_recipe(text).key(**given)

    def test_it_is_stable(self) -> None:
        assert self.key() == self.key()
        assert len(self.key()) == 64

    @pytest.mark.parametrize("change", [{"stored": "t"}, {"interval": (1, 8)}, {"interval": (2, 9)}, {"apex": 6}])
    def test_it_follows_what_the_input_depends_on(self, change: dict[str, Any]) -> None:
        assert self.key(**change) != self.key()

    def test_it_ignores_an_apex_that_is_not_read(self) -> None:
        assert self.key("align", apex=6) == self.key("align", apex=None)

    def test_it_follows_parameters_order_and_defaults_by_value(self) -> None:
        texts = ["align", "align(size=64)", "align(margin=8)", "align > grey", "grey > align", "align > rgb"]
        assert len({self.key(text) for text in texts}) == len(texts)
        assert self.key("align(size=224, margin=0)") == self.key("align")

    def test_it_follows_the_versions_of_steps_and_tools(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = self.key()
        monkeypatch.setattr(recipes, "version", lambda tool: f"other {tool}")
        after_tools = self.key()
        monkeypatch.undo()
        newer = {n: Step(s.name, s.version + 1, s.apply, s.accepts, s.gives, s.privilege, s.tools) for n, s in _core()}
        monkeypatch.setattr(recipes, "_core_steps", lambda: newer)
        assert len({before, after_tools, self.key()}) == 3

    def test_a_tool_that_is_not_installed_is_named(self) -> None:
        odd = Recipe((recipes.BoundStep(_odd_step(lambda s: s, tools=("no-such-package",)), {}, "frames"),))
        with pytest.raises(ModelError, match="needs no-such-package, which is not installed"):
            _ = odd.digest


class TestPlugins:
    def test_a_registered_step_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.register(monkeypatch, _odd_step(lambda s: s))
        assert str(parse_recipe("align > odd")) == "align > odd"

    def test_near_names_include_plugins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.register(monkeypatch, _odd_step(lambda s: s))
        with pytest.raises(UnknownName, match="Did you mean odd"):
            parse_recipe("odt")

    @pytest.mark.parametrize("found", ["text", step("other", 1, accepts={"frames"})(lambda s: s)])
    def test_what_is_no_step_of_that_name_is_refused(self, monkeypatch: pytest.MonkeyPatch, found: object) -> None:
        self.register(monkeypatch, found)
        with pytest.raises(ModelError, match=r"'odd' in mebench\.steps is not a step of that name"):
            parse_recipe("odd")

    def test_a_package_that_does_not_import_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.register(monkeypatch, ImportError("no module"))
        with pytest.raises(ModelError, match="'odd' is registered as plugin:odd but cannot be imported: no module"):
            parse_recipe("odd")

    def test_what_a_step_raises_is_told_with_its_name(self) -> None:
        def fail(sample: Sample) -> Sample:
            raise ZeroDivisionError("by zero")

        broken = Recipe((recipes.BoundStep(_odd_step(fail), {}, "frames"),))
        with pytest.raises(ModelError, match="Step odd fails: ZeroDivisionError: by zero"):
            broken.apply(None)  # type: ignore[arg-type]

    def register(self, monkeypatch: pytest.MonkeyPatch, found: object) -> None:
        class Entry:
            name, value = "odd", "plugin:odd"

            def load(self) -> object:
                if isinstance(found, Exception):
                    raise found
                return found

        monkeypatch.setattr(recipes, "entry_points", lambda group: [Entry()] if group == "mebench.steps" else [])


def _odd_step(function: Any, **declared: Any) -> Step:
    return step("odd", 1, accepts={"frames"}, **declared)(function)


def _core() -> Iterator[tuple[str, Step]]:
    return iter(recipes._core_steps().items())
