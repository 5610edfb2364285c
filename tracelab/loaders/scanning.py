"""Lazy frames over the parquet of span frames that was kept."""

from __future__ import annotations

from glob import glob
from itertools import groupby
from pathlib import Path
from typing import Final

import polars as pl

from tracelab.conforming import REQUIRED, conform
from tracelab.errors import LoadError, SchemaError, SourceError
from tracelab.loaders.columns.text import float_text
from tracelab.options import file_path
from tracelab.schema import TYPE_SUFFIX, in_order, is_attribute, is_type_companion

_GLOB: Final = frozenset("*?[")
_WORDS: Final = {pl.Boolean: "bool", pl.Int64: "int", pl.Float64: "double", pl.String: "string"}


def scan(path: str | Path) -> pl.LazyFrame:
    """Look at parquet that `write` made without reading it: what is computed from it streams.

    Several dumps are put under one another. Their attribute columns are united: where a dump has no such column it is
    null, and where the values are of several types the column is text with a `:type` companion, as `read` has it. A
    trace that is spread over several dumps is put together by `with_tree`.

    Parameters
    ----------
    path
        A `.parquet` file, a folder of these (with its subfolders), or a glob pattern. A file or folder that is there
        is never taken for a pattern.

    Returns
    -------
    A lazy span frame. Rows of a folder come in the order of its files; sort by `tree_left` where order matters.

    Raises
    ------
    SourceError
        There is no such file, or it may not be read, or it is no path.
    LoadError
        It holds no span frame, or a column has dtypes that do not go together.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tracelab.loaders.writing import write
    >>> from tracelab.synthetic import draw
    >>> with TemporaryDirectory() as folder:
    ...     scan(write(draw("api ====="), f"{folder}/kept")).select("service_name").collect().item()
    'api'
    """
    target = file_path("path", path)
    frames = []
    for columns, group in groupby(_files(target), key=_columns):
        files = list(group)
        _check(files[0], columns)
        try:
            frames.append(conform(pl.scan_parquet(files, glob=False, hive_partitioning=False)))
        except SchemaError as error:
            raise LoadError(f"{files[0]}: {error}") from error
    return frames[0] if len(frames) == 1 else _united(frames, target)


def _files(target: Path) -> list[Path]:
    """List the files that a path or pattern stands for, in order."""
    try:
        if target.is_file():
            return [target]
        patterned = not target.exists() and _GLOB & set(str(target))
        places = [Path(name) for name in glob(str(target), recursive=True)] if patterned else [target]  # noqa: PTH207 - absolute patterns
        found = {file for place in places for file in ([place] if place.is_file() else _parquet_below(place))}
    except (OSError, ValueError) as error:
        raise SourceError(f"{target!s:.200}: {error}. Check the path.") from error
    if not found:
        raise SourceError(f"There is no parquet in {target!s:.200}. Write some with tracelab.write(spans, path).")
    return sorted(found)


def _parquet_below(folder: Path) -> list[Path]:
    """List the parquet below a folder, but for what is hidden, such as what is being written just now."""
    found = (file for file in folder.rglob("*.parquet") if file.is_file())
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _columns(file: Path) -> tuple[tuple[str, pl.DataType], ...]:
    try:
        schema = pl.scan_parquet(file, glob=False, hive_partitioning=False).collect_schema()
    except PermissionError as error:
        raise SourceError(f"{file}: {error.strerror}. Check its permissions.") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LoadError(f"{file} is no parquet file ({error!s:.100}). Read other dumps with tracelab.read.") from error
    return tuple(schema.items())


def _check(file: Path, columns: tuple[tuple[str, pl.DataType], ...]) -> None:
    names = [name for name, _ in columns]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise LoadError(
            f"{file}: a span frame needs the columns {', '.join(missing)}. Was it written by tracelab.write?"
        )


def _united(frames: list[pl.LazyFrame], target: Path) -> pl.LazyFrame:
    """Put span frames under one another, each with all columns."""
    schemas = [frame.collect_schema() for frame in frames]
    names = list(dict.fromkeys(name for schema in schemas for name in schema))
    dtypes = {name: {schema[name] for schema in schemas if name in schema} for name in names}
    mixed = []
    for name in names:
        plain = is_attribute(name) and not is_type_companion(name) and not any(map(_is_list, dtypes[name]))
        if plain and (len(dtypes[name]) > 1 or name + TYPE_SUFFIX in dtypes):
            mixed.append(name)
        elif len(dtypes[name]) > 1:
            raise LoadError(
                f"{target}: {name!r} is {' and '.join(sorted(map(str, dtypes[name])))} in different files. Read them "
                "with tracelab.read, or scan them apart."
            )
    wide = [
        frame.with_columns(each for name in mixed if name in schema for each in _typed(name, schema))
        for frame, schema in zip(frames, schemas, strict=True)
    ]
    whole = pl.concat(wide, how="diagonal")
    return whole.select(in_order(whole.collect_schema().names()))


def _typed(name: str, schema: pl.Schema) -> list[pl.Expr]:
    """Write an attribute's values as text and say beside them what they were; a column that has both is done."""
    if name + TYPE_SUFFIX in schema:
        return []
    column, dtype = pl.col(name), schema[name]
    is_float = dtype == pl.Float64
    text = (
        column.map_batches(float_text, return_dtype=pl.String, is_elementwise=True)
        if is_float
        else column.cast(pl.String)
    )
    word = pl.lit(_WORDS[dtype.base_type()])
    return [text.alias(name), pl.when(column.is_not_null()).then(word).alias(name + TYPE_SUFFIX)]


def _is_list(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.List)
