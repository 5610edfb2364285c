from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import zstandard
from polars.testing import assert_frame_equal

from tests.loaders.dumps import compact, request, shop_otlp, span
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read
from tracelab.loaders.input import archives, compression, cutting

if TYPE_CHECKING:
    from collections.abc import Callable


SAMPLES = Path(__file__).parent.parent / "samples"


def dump(number: int) -> bytes:
    return compact(request(span(f"{number:016x}", traceId=f"{number:032x}")))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(members: dict[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def names(source: object) -> list[str]:
    return load_report(source).filter(pl.col("problem") == "spans")["source"].to_list()


PACKED: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zipped,
    "stored.zip": lambda members: zipped(members, zipfile.ZIP_STORED),
    "bzip2.zip": lambda members: zipped(members, zipfile.ZIP_BZIP2),
    "lzma.zip": lambda members: zipped(members, zipfile.ZIP_LZMA),
    "zip.gz": lambda members: gzip.compress(zipped(members)),
    "tar": tarred,
    "old.tar": lambda members: tarred(members, form=tarfile.USTAR_FORMAT),
    "gnu.tar": lambda members: tarred(members, form=tarfile.GNU_FORMAT),
    "tar.gz": lambda members: gzip.compress(tarred(members)),
    "tar.bz2": lambda members: bz2.compress(tarred(members)),
    "tar.xz": lambda members: lzma.compress(tarred(members)),
    "tar.zst": lambda members: zstandard.compress(tarred(members)),
}


@pytest.mark.parametrize("kind", PACKED)
def test_every_member_of_an_archive_is_a_source_of_its_own(kind: str, tmp_path: Path) -> None:
    members = {
        "a/one.jsonl": dump(1), "two.json.gz": gzip.compress(dump(2)),
        ".hidden.json": b"{}", "__MACOSX/a/._one.jsonl": b"\0", "src/run.py": b"{}", "node_modules/x.json": b"{}",
    }  # fmt: skip
    content = PACKED[kind](members)
    path = tmp_path / f"dumps.{kind}"
    path.write_bytes(content)
    expected = read([dump(1), dump(2)])
    assert expected.height == 2
    for source, name in (
        (path, str(path)),
        (tmp_path, str(path)),
        (content, "<bytes>"),
        (io.BytesIO(content), "<file object>"),
    ):
        assert_frame_equal(read(source), expected)
        source = io.BytesIO(content) if isinstance(source, io.BytesIO) else source  # noqa: PLW2901 - it was read
        assert names(source) == [f"{name}!/a/one.jsonl", f"{name}!/two.json.gz"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_block_of_tempo_is_read_from_an_archive(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    block = {each.name: each.read_bytes() for each in (SAMPLES / "tempo-block").iterdir()}
    members = {f"tenant/1a2b/{name}": content for name, content in block.items()}
    packed = pack({**members, "tenant/1a2b/bloom-0": b"\0", "tenant/index.json.gz": b"\0"})
    assert names(packed) == ["<bytes>!/tenant/1a2b/data.parquet"]
    # Only its meta.json has names for dedicated columns.
    with pytest.warns(LoadWarning, match="dedicated columns without a name"):
        spans = read(packed)
    explained = load_report(packed).filter(problem="values in dedicated columns without a name")["explanation"].item()
    assert "unpack it first if it is in an archive" in explained
    plain = pl.selectors.exclude("events", r"^span\..*$", r"^resource\..*$", "more_attributes")
    assert_frame_equal(spans.select(plain), read(SAMPLES / "tempo-block").select(plain))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_tables_of_otel_arrow_in_an_archive_are_read_without_each_other_which_is_said(
    pack: Callable[[dict[str, bytes]], bytes],
) -> None:
    root = SAMPLES / "otap.tables"
    packed = pack({str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()})
    with pytest.warns(LoadWarning, match=r"tables that are not there"):
        spans = read(packed)
    assert sorted(spans["span_id"].to_list()) == sorted(read(root)["span_id"].to_list())
    report = load_report(packed)
    assert "unpack it first" in report.filter(problem="tables that are not there")["explanation"].item()
    refused = report.filter(problem="a source that cannot be read")
    assert refused.height == len(list(root.iterdir())) - 1
    assert refused["example"].str.contains("no trace dump").all()
    with pytest.raises(LoadError, match="unpacked if they are in an archive"):
        read(pack({"span_attrs.parquet": next((root / "span_attrs").iterdir()).read_bytes()}))


def test_a_tar_without_a_magic_word_is_known_by_its_checksum() -> None:
    header = bytearray(tarred({"a.json": dump(1)}, form=tarfile.USTAR_FORMAT))
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    assert names(bytes(header)) == ["<bytes>!/a.json"]


def test_xz_is_a_compression_like_others() -> None:
    content = dump(1) * 3
    packed = lzma.compress(content[:100]) + b"\0" * 8 + lzma.compress(content[100:])
    with pytest.warns(LoadWarning, match="duplicated"):
        assert read(packed).height == 1
    with pytest.raises(LoadError, match="the compressed data is damaged"):
        read(lzma.compress(content)[:-40])
    with pytest.raises(LoadError, match="the compressed data is damaged"):
        read(compression.XZ + b"\xff" * 60)


def test_layers_of_compression_are_looked_through() -> None:
    packs: tuple[Callable[[bytes], bytes], ...] = (gzip.compress, bz2.compress, lzma.compress, zstandard.compress)
    for outer in packs:
        for inner in packs:
            assert read(outer(inner(dump(1)))).height == 1


def test_xz_that_asks_for_much_memory_is_refused() -> None:
    greedy = lzma.compress(dump(1), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    with pytest.raises(LoadError, match="Memory usage limit"):
        read(greedy)


def test_an_archive_in_an_archive_is_read_but_none_in_that() -> None:
    inner = {"in.zip": zipped({"one.json": dump(1)}), "in.tgz": gzip.compress(tarred({"two.json": dump(2)}))}
    for pack in (zipped, tarred):
        assert names(pack(inner)) == ["<bytes>!/in.zip!/one.json", "<bytes>!/in.tgz!/two.json"]
        with pytest.warns(LoadWarning, match="a source that cannot be read"):
            assert read(pack({"three.json": dump(3), "deep.zip": zipped({"in.tar": tarred(inner)})})).height == 1
    with pytest.raises(LoadError, match="an archive in an archive is read, but none in that"):
        read(zipped({"a.zip": zipped({"b.zip": zipped({"c.json": dump(1)})})}))


@pytest.mark.parametrize(
    "name", ["../../up.json", "/etc/root.json", "..\\up.json", "C:\\up.json", "\x1b[31mred\n.json", "\u202eevil.json"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_of_members_are_text_and_no_paths(
    pack: Callable[[dict[str, bytes]], bytes], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "deep" / "er"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    content = pack({name: dump(1)})
    assert read(content).height == 1
    (shown,) = names(content)
    assert shown.startswith("<bytes>!/")
    assert shown.isprintable()
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_bytes(dump(1))
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("link.json")
            info.type, info.linkname = kind, str(tmp_path / "secret.json")
            archive.addfile(info)
        info = tarfile.TarInfo("two.json")
        info.size = len(dump(2))
        archive.addfile(info, io.BytesIO(dump(2)))
    assert names(content.getvalue()) == ["<bytes>!/two.json"]


def test_encrypted_and_damaged_members_are_counted_and_the_others_read() -> None:
    content = bytearray(zipped({"good.json": dump(1), "bad.json": dump(2), "locked.json": dump(3)}, zipfile.ZIP_STORED))
    second, third = content.index(dump(2)), content.index(b"locked.json")
    content[second + 40] ^= 1
    content[third - 24] |= 1  # the flags of the header before the name
    table = content.rindex(b"locked.json")
    content[table - 38] |= 1
    with pytest.warns(LoadWarning, match="a source that cannot be read"):
        assert read(bytes(content))["trace_id"].to_list()[0] == f"{1:032x}"
    report = load_report(bytes(content)).filter(pl.col("action") == "skipped")
    assert report["source"].to_list() == ["<bytes>!/bad.json", "<bytes>!/locked.json"]
    assert "Bad CRC-32" in report["example"][0]
    assert "encrypted" in report["example"][1]


def test_a_method_of_zip_that_is_not_known_is_counted() -> None:
    content = bytearray(zipped({"good.json": dump(1), "odd.json": dump(2)}, zipfile.ZIP_STORED))
    table = content.rindex(b"odd.json")
    content[table - 36 : table - 34] = struct.pack("<H", 9)
    with pytest.warns(LoadWarning, match="a source that cannot be read"):
        assert read(bytes(content)).height == 1


def test_a_tar_that_ends_in_the_middle_gives_what_stands_before() -> None:
    content = tarred({"one.json": dump(1), "two.json": dump(2)})
    for end, action in ((1024 + 512 + 100, "two.json"), (1024 + 100, ""), (2048, "")):
        with pytest.warns(LoadWarning, match="cannot be read"):
            assert read(content[:end]).height == (2 if end == 2048 else 1)
        report = load_report(content[:end]).filter(pl.col("action") == "skipped")
        assert "an archive that cannot be read to its end" in report["problem"].to_list()
        assert any(action in source for source in report["source"])


def test_a_member_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "dumps.zip"
    content = bytearray(zipped({"one.json": dump(1), "two.json": dump(2)}))
    content[content.index(b"PK\x03\x04", 4) + 2] = 0
    path.write_bytes(content)
    code = f"from tracelab.loaders import read; read({str(path)!r})"
    # Python 3.13 says by itself what fails at the end of a file object; older ones say it when they are asked to.
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""


def test_a_tar_with_a_damaged_header_gives_what_stands_behind() -> None:
    content = bytearray(tarred({"one.json": dump(1), "two.json": dump(2), "three.json": dump(3)}))
    content[1024 + 10] ^= 0xFF
    with pytest.warns(LoadWarning, match="an archive that cannot be read to its end"):
        assert read(bytes(content))["trace_id"].to_list() == [f"{1:032x}", f"{3:032x}"]


def test_tars_that_follow_one_another_are_one() -> None:
    assert read(tarred({"one.json": dump(1)}) + tarred({"two.json": dump(2)})).height == 2


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_without_dumps_says_so(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    with pytest.raises(LoadError, match="no dumps are in the archive"):
        read(pack({"README.md": b"#", ".git/config.json": b"{}"}))
    with pytest.raises(LoadError, match=r"None of the 2 sources .*!/a\.json"):
        read(pack({"a.json": b"plain", "b.json": b"text"}))
    with pytest.raises(LoadError, match=r"!/a\.json: no trace dump"):
        read(pack({"a.json": b"plain"}))


@pytest.mark.parametrize(
    ("content", "kind"), [(b"7z\xbc\xaf\x27\x1c" + b"x" * 90, "7-Zip"), (b"Rar!\x1a\x07\x01", "RAR")]
)
def test_other_archives_are_refused_by_name(content: bytes, kind: str) -> None:
    with pytest.raises(LoadError, match=kind):
        read(content)


def test_a_zip_without_its_table_is_damaged() -> None:
    with pytest.raises(LoadError, match="the archive is damaged"):
        read(zipped({"a.json": dump(1)})[:-30])


def test_strict_raises_at_a_member_that_cannot_be_read() -> None:
    with pytest.raises(LoadError, match=r"bad\.json"):
        read(zipped({"bad.json": b"plain", "good.json": dump(1)}), strict=True)


def test_bombs_are_defused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_BOMB_BYTES", 1 << 20)
    zeros = bytes(4 << 20)
    # Each member is small enough, all together are not.
    many = {f"{number}.json": bytes(500_000) for number in range(20)}
    for bomb in (
        zipped({"a.json": zeros}),
        zipped(many),
        gzip.compress(tarred(many)),
        zipped({"a.zip": zipped({"a.json": zeros})}),
        zipped({"a.zip": zipped(many)}),
        tarred({"a.gz": gzip.compress(gzip.compress(bytes(20 << 20)))}),
        lzma.compress(zeros),
    ):
        good = tarred({"good.json": dump(1), "bomb": bomb})
        assert "bomb" in " ".join(load_report([good, bomb])["example"])


def test_members_that_lie_over_one_another_count_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_BOMB_BYTES", 1 << 20)
    content = bytearray(zipped({"a.json": dump(1) * 500}))
    end = content.rindex(b"PK\x05\x06")
    start = content.index(b"PK\x01\x02")
    entry = bytes(content[start:end])
    many = 4000
    tail = bytearray(content[end:])
    tail[8:12] = struct.pack("<HH", many, many)
    tail[12:16] = struct.pack("<I", len(entry) * many)
    overlapping = bytes(content[:start]) + entry * many + bytes(tail)
    report = load_report(overlapping)
    assert "bomb" in " ".join(report["example"]) or "verlap" in " ".join(report["example"])
    assert report.filter(pl.col("problem") == "spans")["count"].sum() < 500 * many


def test_too_many_members_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MEMBERS", 2)
    for pack in (zipped, tarred):
        content = pack({f"{number}.json": dump(number) for number in range(1, 5)})
        with pytest.warns(LoadWarning, match="an archive that cannot be read to its end"):
            assert read(content).height == 2
        assert "more than 2 members" in " ".join(load_report(content)["example"])


@pytest.mark.parametrize("pack", [zipped, lambda members: zipped(members, zipfile.ZIP_STORED), tarred])
def test_damage_anywhere_is_a_load_error_or_counted(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    whole = pack({"one.json": dump(1), "two.json": dump(2), "in.tar": tarred({"three.json": dump(3)})})
    dice = random.Random(7)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            content[dice.randrange(len(content))] = dice.choice((0, 0x80, 0xFF, 0x39, dice.randrange(256)))
        try:
            load_report(bytes(content))
        except LoadError:
            continue


def test_progress_counts_the_bytes_of_the_archive(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, content in {
        "a.zip": zipped({"a.json": dump(1), "b.md": b"x" * 5000}),
        "a.tar": tarred({"a.json": dump(1)}),
    }.items():
        (tmp_path / name).write_bytes(content)
        read(tmp_path / name, progress=True)
        assert "100%" in capsys.readouterr().err


def test_a_source_that_breaks_off_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cutting, "PIECE", 100_000)
    dice = random.Random(5)
    texts = [dice.randbytes(50_000).hex() for _ in range(60)]
    rows = [compact(request(span(f"{number:016x}", name=text))) for number, text in enumerate(texts, 1)]
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b"".join(rows))[:-100_000])
    (tmp_path / "b.json").write_bytes(dump(99))
    with pytest.warns(LoadWarning, match="a source that cannot be read to its end"):
        height = read(tmp_path).height
    assert 1 < height < 61
    report = load_report(tmp_path)
    assert report.filter(pl.col("problem") == "spans")["count"].sum() == height


def test_the_shop_is_the_same_from_an_archive() -> None:
    assert_frame_equal(read(zipped({"shop.json": compact(shop_otlp())})), read(compact(shop_otlp())))
