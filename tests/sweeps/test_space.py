"""What a search space may say, and how it is said what it may not."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from runs import composed

from fashion_lab.config import CONF, ConfigError
from fashion_lab.sweeps.space import Choices, Span, as_word, check_space, from_word, space_of

PARSE = OverridesParser.create().parse_override


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def test_a_space_nested_or_dotted_or_in_words():
    nested = {
        "optimizer": {"lr": {"low": 1e-3, "high": 0.1, "log": True}, "weight_decay": None},
        "trainer.max_epochs": {"low": 2, "high": 8, "step": 3},
        "backbone": {"width": "interval(0.5, 2)", "depth": "range(1,5)"},
        "loss": {"choices": ["triplet", "batch_hard"]},
    }
    assert space_of(nested, PARSE) == {
        "optimizer.lr": Span(1e-3, 0.1, log=True),
        "trainer.max_epochs": Span(2, 8, step=3),
        "backbone.width": Span(0.5, 2.0),
        "backbone.depth": Span(1, 4, step=1),
        "loss": Choices(("triplet", "batch_hard")),
    }


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a=interval(1e-3,1e-1)", Span(0.001, 0.1)),
        ("a=tag(log,interval(1,10))", Span(1.0, 10.0, log=True)),
        ("a=int(interval(1,10))", Span(1, 10)),
        ("a=range(9,0,-4)", Span(1, 9, step=4)),
        ("a=1,x,true", Choices(("1", "x", "True"))),
        ("a=choice('x y',[1,2])", Choices(("x\\ y", "[1,2]"))),
    ],
    ids=str,
)
def test_words_of_the_command_line(word, expected):
    assert from_word(PARSE(word)) == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"low": 2, "high": 1}, "a.b: low=2 is not below high=1"),
        ({"low": 1, "high": 1}, "low=1 is not below high=1"),
        ({"low": 1}, "give both low and high, or choices"),
        ({"lo": 1, "high": 2}, "lo is no field of a search space; did you mean low or log?"),
        ({"low": 0, "high": 1, "log": True}, "low=0 with log: a logarithm needs bounds over 0"),
        ({"low": 1, "high": 9, "log": True, "step": 2}, "step=2 between 1 and 9 with log"),
        ({"low": 1, "high": 9, "step": 0}, "step=0 between 1 and 9"),
        ({"low": 1, "high": 9, "step": 10}, "step=10 between 1 and 9"),
        ({"low": "x", "high": 1}, "low=x is no number"),
        ({"low": True, "high": 2}, "low=True is no number"),
        ({"low": 0.0, "high": float("inf")}, "high=inf is no number"),
        ({"choices": [True]}, "choices are true; give two or more"),
        ({"choices": []}, "choices are none"),
        ({"choices": [1, 1]}, "each once"),
        ({"choices": 3}, "choices is a list"),
        ({"choices": [1, 2], "low": 1}, "and stands alone"),
        (0.1, "a.b: 0.1 is one value, nothing to search"),
        ("x", "a.b: x is one value"),
    ],
    ids=str,
)
def test_what_is_no_space_is_said(fields, said):
    with pytest.raises(ConfigError) as caught:
        space_of({"a": {"b": fields}}, PARSE)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"optimizer.lrr": Span(1, 2)},
            "optimizer.lrr is no setting of this training; did you mean optimizer.lr",
        ),
        ({"optimizer": Span(1, 2)}, "optimizer is no setting"),
        ({"optimizer": Choices(("adam", "adan"))}, "optimizer=adan: there are adam, adamw; did you mean"),
        ({"hydra.sweep.dir": Choices(("a", "b"))}, "hydra.sweep.dir is no setting"),
        ({"seed": Span(0, 9)}, "seed is what a recipe is repeated over"),
        ({"data.fold": Span(0, 2)}, "data.fold is what a recipe is repeated over"),
        ({"batch_size": Choices(("8", "16"))}, "batch_size is fixed on the command line and searched"),
        ({}, "nothing to search"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_said(space, said, tmp_path):
    with pytest.raises(ConfigError) as caught:
        check_space(space, composed(tmp_path), ["batch_size"], options)
    assert said in str(caught.value)


def test_what_can_be_searched(tmp_path):
    space = {"optimizer.lr": Span(1, 2), "optimizer": Choices(("adam", "adamw")), "ckpt": Choices(("a", "b"))}
    check_space(space, composed(tmp_path), [], options)


@pytest.mark.parametrize(
    "value", [1, 0.1, 1e-05, True, False, None, "a", "1e-3", "null", "a b", "it's", [1, "x,y"], {"a": 1}]
)
def test_values_as_words(value):
    assert OmegaConf.create({"x": PARSE(f"x={as_word(value)}").value()}).x == value
