"""Ways in which an input goes wrong: each takes a small valid file and writes a bad one in its place."""

from __future__ import annotations

import functools
import gzip
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pysam

from chrombpnet_core.formats import Intervals, write_bigwig

__all__ = ["MUTATIONS", "Mutation"]

Write = Callable[[Path, Path, random.Random], None]
"""Of the valid file, the bad one's path, and the source of chance."""


@dataclass(frozen=True)
class Mutation:
    """One way to go wrong.

    ``wrong``: it must be refused; else it may also be read right, as a byte order mark may.
    """

    kind: str
    formats: frozenset[str]
    write: Write
    wrong: bool = True


MUTATIONS: list[Mutation] = []
_TABLES = ("bed", "tsv", "sizes", "vcf", "aliases", "motifs")
_TEXT = (*_TABLES, "fasta", "json", "yaml", "meme")
_BINARY = ("gz", "bam", "cram", "bigwig", "model", "h5")


def _mutation(kind: str, *formats: str, wrong: bool = True) -> Callable[[Write], Write]:
    def add(write: Write) -> Write:
        MUTATIONS.append(Mutation(kind, frozenset(formats), write, wrong))
        return write

    return add


def _text(kind: str, *formats: str, wrong: bool = True) -> Callable[[Callable[[str, random.Random], str]], None]:
    """Add a mutation of a text's content."""

    def add(change: Callable[[str, random.Random], str]) -> None:
        def write(source: Path, target: Path, chance: random.Random) -> None:
            target.write_text(change(source.read_text(), chance))

        MUTATIONS.append(Mutation(kind, frozenset(formats), write, wrong))

    return add


def _cell(kind: str, value: str, *formats: str, column: int = 1, wrong: bool = True) -> None:
    """Add a mutation of one number of a table."""

    def change(text: str, chance: random.Random) -> str:
        lines = text.splitlines(keepends=True)
        at = chance.choice([number for number, line in enumerate(lines) if not line.startswith("#")])
        fields = lines[at].rstrip("\n").split("\t")
        fields[column] = value
        lines[at] = "\t".join(fields) + "\n"
        return "".join(lines)

    _text(kind, *formats, wrong=wrong)(change)


@functools.cache
def _bomb_bytes() -> bytes:
    """Compress 1.5 GB of zeros, as members of a megabyte each."""
    return gzip.compress(bytes(1 << 20)) * 1500


# --- any file ----------------------------------------------------------------------------------------------------


@_mutation("missing", *_TEXT, *_BINARY)
def _missing(source: Path, target: Path, chance: random.Random) -> None:
    pass


@_mutation("folder", *_TEXT, *_BINARY)
def _folder(source: Path, target: Path, chance: random.Random) -> None:
    target.mkdir()


@_mutation("named pipe", *_TEXT, *_BINARY)
def _pipe(source: Path, target: Path, chance: random.Random) -> None:
    os.mkfifo(target)


@_mutation("broken link", *_TEXT, *_BINARY)
def _link(source: Path, target: Path, chance: random.Random) -> None:
    target.symlink_to(target)


@_mutation("empty", *_TEXT, *_BINARY)
def _empty(source: Path, target: Path, chance: random.Random) -> None:
    target.touch()


@_mutation("binary noise", *_TEXT, *_BINARY)
def _noise(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(chance.randbytes(5000))


@_mutation("zero bytes", *_TEXT, *_BINARY)
def _zeros(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(bytes(5000))


@_mutation("cut off", *_BINARY)
def _cut(source: Path, target: Path, chance: random.Random) -> None:
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * chance.uniform(0.3, 0.9))])


@_mutation("gzip cut off", "bed", "tsv", "sizes", "vcf", "meme")
def _gzip_cut(source: Path, target: Path, chance: random.Random) -> None:
    content = gzip.compress(source.read_bytes() * 50)
    target.write_bytes(content[: len(content) // 2])


@_mutation("gzip of noise", "gz", *_TABLES)
def _gzip_noise(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(gzip.compress(chance.randbytes(5000)))


@_mutation("gzip bomb", "gz", *_TEXT)
def _bomb(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(_bomb_bytes())


@_mutation("megabyte line", *_TEXT)
def _long_line(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(source.read_bytes() + b"A" * 5_000_000 + b"\n")


@_mutation("zero byte inside", *_TABLES, "json", "yaml", "meme")
def _zero_inside(source: Path, target: Path, chance: random.Random) -> None:
    content = source.read_bytes()
    half = len(content) // 2
    target.write_bytes(content[:half] + b"\x00\x00" + content[half:])


@_mutation("no UTF-8", *_TABLES, "json", "yaml")
def _latin(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(source.read_bytes().replace(b"c", b"\xe9\xff", 1).replace(b"A", b"\xe9\xff", 1))


@_mutation("UTF-16", *_TABLES, "fasta", "meme", "json")
def _utf16(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(source.read_text().encode("utf-16"))


@_mutation("byte order mark", *_TEXT, wrong=False)
def _mark(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(b"\xef\xbb\xbf" + source.read_bytes())


@_mutation("carriage returns", *_TEXT, wrong=False)
def _returns(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(source.read_bytes().replace(b"\n", b"\r"))


@_mutation("control characters", *_TABLES, "fasta", "json", "meme", "yaml", wrong=False)
def _control(source: Path, target: Path, chance: random.Random) -> None:
    target.write_bytes(source.read_bytes().replace(b"chr", b"\x1b[31m\x07chr").replace(b"MOTIF", b"MOTIF \x1b]0;x\x07"))


# --- tables ------------------------------------------------------------------------------------------------------

_NUMBERED = ("bed", "tsv", "sizes", "vcf")
_cell("letters for a number", "x7q", *_NUMBERED)
_cell("negative number", "-12", *_NUMBERED)
_cell("huge number", "9" * 19, *_NUMBERED)
_cell("NaN", "nan", *_NUMBERED)
_cell("infinite", "1e400", *_NUMBERED)
_cell("fraction", "100.5", *_NUMBERED)
_cell("number of megabytes", "1" * 3_000_000, *_NUMBERED)
_cell("end before start", "1", "bed", column=2)
_cell("past the end", "9000000", "bed", column=2, wrong=False)
_cell("unknown bases", "AXB!", "vcf", column=3, wrong=False)
_cell("unknown chromosome in a line", "chrUn_1", *_NUMBERED, column=0, wrong=False)


@_text("one column", *_NUMBERED, "aliases", "motifs")
def _one_column(text: str, chance: random.Random) -> str:
    return "".join(line.split("\t")[0] + "\n" for line in text.splitlines())


@_text("blanks for tabs", "bed", "vcf", wrong=False)
def _blanks(text: str, chance: random.Random) -> str:
    return text.replace("\t", " ")


@_text("another genome", "bed", "tsv", "sizes", "vcf", "fasta", "json")
def _another(text: str, chance: random.Random) -> str:
    return text.replace("chr", "scaffold_")


@_text("only comments", "bed", "tsv", "sizes", "vcf", "aliases", "motifs")
def _comments(text: str, chance: random.Random) -> str:
    return "# nothing\n\n#\n"


@_text("line twice", "sizes", "fasta")
def _twice(text: str, chance: random.Random) -> str:
    return text + text


@_text("other lengths", "sizes")
def _other_sizes(text: str, chance: random.Random) -> str:
    return text.replace("000", "050")


@_text("sequence without a name", "fasta")
def _no_name(text: str, chance: random.Random) -> str:
    return text.replace(">chrA\n", "", 1)


@_text("no letters", "fasta")
def _no_letters(text: str, chance: random.Random) -> str:
    return "".join(line + "\n" for line in text.splitlines() if line.startswith(">"))


@_text("prose", *_TEXT)
def _prose(text: str, chance: random.Random) -> str:
    return "Dear colleague,\nplease find the file attached.\n"


@_text("no motif", "meme")
def _no_motif(text: str, chance: random.Random) -> str:
    return text.split("MOTIF")[0]


@_text("rows that are no numbers", "meme")
def _no_rows(text: str, chance: random.Random) -> str:
    return text.replace("0.97", "much")


# --- JSON and YAML -----------------------------------------------------------------------------------------------


def _fold(kind: str, change: Callable[[dict[str, object]], object]) -> None:
    def write(text: str, chance: random.Random) -> str:
        return json.dumps(change(json.loads(text)))

    _text(kind, "json")(write)


_fold("no object", lambda fold: [fold])
_fold("part missing", lambda fold: {name: chroms for name, chroms in fold.items() if name != "valid"})
_fold("part empty", lambda fold: fold | {"test": []})
_fold("chromosome twice", lambda fold: fold | {"valid": ["chrA", "chrB"]})
_fold("numbers for names", lambda fold: fold | {"train": [1, 2]})
_fold("part is text", lambda fold: fold | {"train": "chrA"})
_fold("part is null", lambda fold: fold | {"test": None})
_fold("unknown chromosome", lambda fold: fold | {"train": ["chr1\x1b[2J"]})
_fold("name of megabytes", lambda fold: fold | {"train": ["x" * 3_000_000]})


@_text("deep nesting", "json", "yaml")
def _nested(text: str, chance: random.Random) -> str:
    return "[" * 100_000 + "]" * 100_000


@_text("deep mapping", "json", "yaml")
def _nested_mapping(text: str, chance: random.Random) -> str:
    return '{"train": ' * 20_000 + "1" + "}" * 20_000


@_text("half", "json")
def _half(text: str, chance: random.Random) -> str:
    return text[: len(text) // 2]


@_text("anchors that multiply", "yaml")
def _laughs(text: str, chance: random.Random) -> str:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    return f"a0: &a0 [x, x, x, x, x, x, x, x, x]\n{levels}" + text


@_text("anchor in itself", "yaml")
def _itself(text: str, chance: random.Random) -> str:
    return text + "folds: &f [*f]\n" + "background: &b {stride: *b}\n"


@_text("tag of Python", "yaml")
def _tag(text: str, chance: random.Random) -> str:
    return text + 'id: !!python/object/apply:os.system ["true"]\n'


@_text("unknown key", "yaml")
def _unknown_key(text: str, chance: random.Random) -> str:
    return text + "colour\x85: blue\n"


@_text("tabs", "yaml")
def _tabs(text: str, chance: random.Random) -> str:
    return text.replace("  ", "\t") + "\tx: 1\n"


@_text("list", "yaml")
def _list(text: str, chance: random.Random) -> str:
    return "- a\n- b\n"


@_text("number of megabytes in YAML", "yaml")
def _huge_yaml(text: str, chance: random.Random) -> str:
    return text + "input_length: " + "9" * 3_000_000 + "\n"


@_text("wrong types", "yaml")
def _types(text: str, chance: random.Random) -> str:
    return text + "training: [1, 2]\nfolds: {a: 1}\n"


@_text("negative numbers in YAML", "yaml")
def _negative_yaml(text: str, chance: random.Random) -> str:
    return text + "training: {batch_size: -3, learning_rate: .nan}\n"


# --- HDF5 --------------------------------------------------------------------------------------------------------


def _hdf5(kind: str, *formats: str, wrong: bool = True) -> Callable[[Callable[[h5py.File, random.Random], None]], None]:
    """Add a mutation of an HDF5 file's content."""

    def add(change: Callable[[h5py.File, random.Random], None]) -> None:
        def write(source: Path, target: Path, chance: random.Random) -> None:
            shutil.copyfile(source, target)
            with h5py.File(target, "r+") as file:
                change(file, chance)

        MUTATIONS.append(Mutation(kind, frozenset(formats), write, wrong))

    return add


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def _replace(file: h5py.File, name: str, data: object = None, **options: object) -> None:
    del file[name]
    file.create_dataset(name, data=data, **options)


def _each_dataset(kind: str, change: Callable[[h5py.File, str], None], *formats: str) -> None:
    @_hdf5(kind, *formats)
    def one(file: h5py.File, chance: random.Random) -> None:
        names = [name for name in _datasets(file) if "optimizer" not in name]
        change(file, chance.choice(names))


_each_dataset("dataset missing", lambda file, name: file.__delitem__(name), "model", "h5")
_each_dataset("other shape", lambda file, name: _replace(file, name, np.ones((3, 2, 1), "f4")), "model", "h5")
_each_dataset("text for numbers", lambda file, name: _replace(file, name, np.array([b"a", b"b"])), "model", "h5")
_each_dataset("complex numbers", lambda f, n: _replace(f, n, np.ones(f[n].shape, "c8")), "model", "h5")
_each_dataset("declared size", lambda f, n: _replace(f, n, shape=(1 << 33, 4), dtype="f4", chunks=(1024, 4)), "model", "h5")
_each_dataset("group for dataset", lambda f, n: (f.__delitem__(n), f.create_group(n)), "model", "h5")


@_hdf5("external link", "model", "h5")
def _external(file: h5py.File, chance: random.Random) -> None:
    name = chance.choice(_datasets(file))
    del file[name]
    file[name] = h5py.ExternalLink("/etc/hostname", "/x")


@_hdf5("link in itself", "model", "h5")
def _loop(file: h5py.File, chance: random.Random) -> None:
    name = chance.choice(_datasets(file))
    del file[name]
    file[name] = h5py.SoftLink("/" + name)


@_hdf5("not finite", "model", "h5")
def _nan(file: h5py.File, chance: random.Random) -> None:
    for name in _datasets(file):
        if file[name].dtype.kind == "f":
            file[name][...] = np.nan


@_hdf5("no configuration", "model")
def _no_config(file: h5py.File, chance: random.Random) -> None:
    del file.attrs["model_config"]


@_hdf5("configuration is no JSON", "model")
def _bad_config(file: h5py.File, chance: random.Random) -> None:
    file.attrs["model_config"] = "{layers"


@_hdf5("configuration nested deep", "model")
def _deep_config(file: h5py.File, chance: random.Random) -> None:
    file.attrs["model_config"] = "[" * 30_000 + "]" * 30_000


@_hdf5("nothing inside", "model", "h5")
def _nothing(file: h5py.File, chance: random.Random) -> None:
    for name in [*file]:
        del file[name]


# --- reads and tracks --------------------------------------------------------------------------------------------


@_mutation("other lengths", "bam")
def _other_lengths(source: Path, target: Path, chance: random.Random) -> None:
    with pysam.AlignmentFile(str(source)) as file:
        header = file.header.to_dict()
        header["SQ"][0]["LN"] += 1000
        with pysam.AlignmentFile(str(target), "wb", header=header) as changed:
            for read in file:
                changed.write(pysam.AlignedSegment.from_dict(read.to_dict(), changed.header))


@_mutation("no reads", "bam")
def _no_reads(source: Path, target: Path, chance: random.Random) -> None:
    with pysam.AlignmentFile(str(source)) as file, pysam.AlignmentFile(str(target), "wb", header=file.header):
        pass


@_mutation("changed bytes", "bam", "bigwig", "gz")
def _changed(source: Path, target: Path, chance: random.Random) -> None:
    content = bytearray(source.read_bytes())
    at = len(content) // 2
    content[at : at + 400] = chance.randbytes(400)
    target.write_bytes(content)


def _bigwig(kind: str, sizes: dict[str, int], value: float, width: int) -> None:
    @_mutation(kind, "bigwig")
    def write(source: Path, target: Path, chance: random.Random) -> None:
        pieces = []
        for chrom, size in sizes.items():
            starts = np.arange(0, size - width, width)
            pieces.append(Intervals(chrom, starts, starts + width, np.full(len(starts), value, np.float32)))
        write_bigwig(target, sizes, pieces, sum(len(piece.starts) for piece in pieces))


_SIZES = {"chrA": 9000, "chrB": 8000, "chrC": 7000}
_bigwig("other lengths", {"chrA": 9500, "chrB": 8000, "chrC": 7000}, 1, 1)
_bigwig("another genome", {"scaffold_1": 9000}, 1, 1)
_bigwig("negative values", _SIZES, -2, 1)
_bigwig("infinite values", _SIZES, np.inf, 1)
