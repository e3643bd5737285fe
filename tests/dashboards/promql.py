"""What a PromQL expression names, and which labels its result has."""

from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser as promql

ANY = frozenset({"*"})
"""The labels of what has whatever the other side has."""

SCALARS = {"time", "vector", "scalar"}


class WrongLabelError(Exception):
    """A label is named that nothing there has."""


class LabelsOf:
    """Works out the labels of an expression's result; `WrongLabelError` tells of one that is named and not there.

    Parameters
    ----------
    series
        The labels of each series that exists, by its name.
    """

    def __init__(self, series: Mapping[str, frozenset[str]]) -> None:
        self._series = series

    def __call__(self, expr: promql.Expr) -> frozenset[str]:
        match expr:
            case promql.VectorSelector():
                return self._selected(expr)
            case promql.MatrixSelector():
                return self(expr.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self(expr.expr)
            case promql.Call():
                return self._called(expr)
            case promql.AggregateExpr():
                return self._aggregated(expr)
            case promql.BinaryExpr():
                return self._combined(expr)
            case promql.NumberLiteral() | promql.StringLiteral():
                return ANY
        raise AssertionError(f"not known here: {expr!r}")

    def _selected(self, selector: promql.VectorSelector) -> frozenset[str]:
        assert selector.name
        if selector.name not in self._series:
            raise WrongLabelError(f"nobody exports {selector.name}")
        labels = self._series[selector.name]
        self._demand((matcher.name for matcher in selector.matchers.matchers), labels, str(selector))
        return labels

    def _called(self, call: promql.Call) -> frozenset[str]:
        if call.func.name in SCALARS:
            return ANY
        if call.func.name == "absent":
            matchers = call.args[0].matchers.matchers
            return frozenset(matcher.name for matcher in matchers if matcher.op == promql.MatchOp.Equal)
        (labels,) = {self(argument) for argument in call.args} - {ANY} or {ANY}
        if call.func.name == "histogram_quantile":
            self._demand(["le"], labels, call.prettify())
            return labels - {"le"}
        return labels

    def _aggregated(self, expr: promql.AggregateExpr) -> frozenset[str]:
        labels = self(expr.expr)
        if expr.modifier is None:
            return labels if str(expr.op) in ("topk", "bottomk") else frozenset()
        assert expr.modifier.type == promql.AggModifierType.By, "`by` tells what is left"
        self._demand(expr.modifier.labels, labels, expr.prettify())
        return frozenset(expr.modifier.labels)

    def _combined(self, expr: promql.BinaryExpr) -> frozenset[str]:
        left, right = self(expr.lhs), self(expr.rhs)
        if ANY in (left, right):
            return right if left == ANY else left
        if str(expr.op) == "or":
            return left | right
        modifier = expr.modifier
        if modifier is None or modifier.matching is None:
            if left != right:
                raise WrongLabelError(f"{sorted(left)} never matches {sorted(right)}: {expr.prettify()}")
            return left
        assert modifier.matching.type == promql.LabelModifierType.Include, "`on` tells what must be equal"
        for side in (left, right):
            self._demand(modifier.matching.labels, side, expr.prettify())
        keeps_left = modifier.card in (
            promql.VectorMatchCardinality.ManyToOne,
            promql.VectorMatchCardinality.ManyToMany,
        )
        return left if keeps_left else frozenset(modifier.matching.labels)

    @staticmethod
    def _demand(labels: Any, present: frozenset[str], where: str) -> None:
        for label in labels:
            if label not in present:
                raise WrongLabelError(f"{label} is none of {sorted(present)} in {where}")


def parts(expr: promql.Expr) -> Iterator[promql.Expr]:
    """The expression and all in it."""
    found: list[promql.Expr] = []
    promql.walk(expr, pre_visit=lambda each: found.append(each))
    yield from found


def selectors(expr: promql.Expr) -> list[promql.VectorSelector]:
    return [part for part in parts(expr) if isinstance(part, promql.VectorSelector)]
