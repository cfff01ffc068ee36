"""The random requests of a run: drawn by Hypothesis from a seed, and chosen so that pairs of values occur early.

The same seed gives the same requests, with the same version of Hypothesis; what a run did send is kept in its folder,
and a replay reads it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.config.target import Misconfigured
from conformance.contract.schemas import Schemas
from conformance.scenarios.derived import Parameter
from conformance.scenarios.explore import FACTORS, SIMPLEST, WORDS, Choice, possible, scenario_of_choice, smallest
from conformance.scenarios.random_values import VALUES, random_parameters, scenario_of_value
from conformance.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_T = TypeVar("_T")

#: The most requests; beyond that pairs of values have long occurred together.
MOST = 5_000

#: Every so many requests one has a random value that is not documented.
_EVERY = 4

#: What is drawn for each request that is sent: of choices, the one with most pairs of values that no request had before
#: is taken; of values, the first that is not documented and was not taken before.
_DRAWN = 6

#: Characters of a drawn text, at most.
_LONGEST = 40


def explored(count: int, seed: int, schemas: Schemas, lacks: frozenset[str] = frozenset()) -> list[Scenario]:
    """So many random requests, and those that stand for the smallest failing ones; nothing for 0. ``lacks`` are the
    features that a profile excludes.

    :class:`Misconfigured` if there cannot be so many, or Hypothesis is not installed.
    """
    if not count:
        return []
    if not 0 < count <= MOST:
        raise Misconfigured(f"--explore is {count}; it must be 0 to {MOST}")
    try:
        import hypothesis  # noqa: F401  # An optional dependency.
    except ImportError:
        raise Misconfigured("--explore needs Hypothesis: pip install 'mimo-responses-conformance[explore]'") from None
    wrong = _wrong(count // _EVERY, seed, schemas)
    places = [number for number in range(1, count + 1) if number % _EVERY or number // _EVERY > len(wrong)]
    drawn = _choices(len(places) * _DRAWN, seed, possible(schemas.contract, lacks))
    choices = [{**SIMPLEST, WORDS: ""}, *_spread(drawn, len(places) - 1, _pairs, _pairs(SIMPLEST))]
    legal = {
        number: scenario_of_choice(number, one, schemas.contract) for number, one in zip(places, choices, strict=True)
    }
    found = [legal.get(number) or wrong[number // _EVERY - 1] for number in range(1, count + 1)]
    return [*found, *smallest()]


def _spread(drawn: Sequence[_T], count: int, features: Callable[[_T], set[Any]], seen: set[Any]) -> Iterator[_T]:
    """So many of what was drawn: of each few the one with most features that none before it has."""
    for place in range(min(count, len(drawn))):
        near = drawn[place * _DRAWN : (place + 1) * _DRAWN] or drawn[-_DRAWN:]
        best = max(near, key=lambda one: len(features(one) - seen))
        seen |= features(best)
        yield best


def _pairs(choice: Choice) -> set[Any]:
    """The pairs of values of a choice."""
    values = [(name, choice[name]) for name in FACTORS]
    return set(combinations(values, 2))


def _choices(count: int, seed: int, possible: Mapping[str, Sequence[str]]) -> list[Choice]:
    from hypothesis import strategies as st

    factors = {name: st.sampled_from(values) for name, values in possible.items()}
    return _draw(st.fixed_dictionaries({**factors, WORDS: _words(1)}), count, seed)


def _wrong(count: int, seed: int, schemas: Schemas) -> list[Scenario]:
    """Requests with a random value, as many as there are; no two of the same value at the same parameter."""
    from hypothesis import strategies as st

    kinds = [st.tuples(st.just(kind), st.sampled_from(values)) for kind, values in VALUES.items()]
    value = st.one_of(*kinds, st.tuples(st.just("nested"), _nested()))
    drawn = _draw(st.tuples(st.sampled_from(random_parameters(schemas)), value), count * 2 * _DRAWN, seed)
    found: dict[str, Scenario] = {}
    for parameter, (kind, sent) in _spread(drawn, 2 * count, _kinds, set()):
        one = scenario_of_value((len(found) + 1) * _EVERY, parameter, kind, sent, schemas)
        if one and len(found) < count:
            found.setdefault(f"{one.about['parameter']}={one.about['value']}", one)
    return list(found.values())


def _kinds(drawn: tuple[Parameter, tuple[str, Any]]) -> set[Any]:
    """The parameter, the class of the value, and both together."""
    parameter, (kind, value) = drawn
    return {parameter.name, kind, (parameter.name, kind), (kind, repr(value))}


def _nested() -> SearchStrategy[Any]:
    """JSON lists and objects, with nulls, numbers and strings inside."""
    from hypothesis import strategies as st

    leaves = st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | _words(0)
    return st.recursive(
        st.lists(leaves, max_size=2) | st.dictionaries(_words(0), leaves, max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words(0), inner, max_size=2),
        max_leaves=6,
    )


def _words(least: int) -> SearchStrategy[str]:
    """Texts without control characters, halves of pairs, and code points that stand for no character."""
    from hypothesis import strategies as st

    return st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=least, max_size=_LONGEST)


def _draw(strategy: SearchStrategy[_T], count: int, number: int) -> list[_T]:
    """So many values of a strategy, or fewer where there are no more; the same for the same number."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    found: list[_T] = []

    @seed(number)
    @settings(
        max_examples=max(1, count), database=None, deadline=None, derandomize=False, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def draw(one: _T) -> None:
        found.append(one)

    draw()
    return found[:count]
