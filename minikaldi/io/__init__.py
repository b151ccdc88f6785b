"""Kaldi's tables, matrices, waves and pipes. Source folders: Kaldi util/, matrix/, feat/wave-reader."""

from minikaldi.io.compressed import write_compressed
from minikaldi.io.context import StreamContext
from minikaldi.io.holders import (
    BOOL,
    DOUBLE,
    DOUBLE_MATRIX,
    DOUBLE_VECTOR,
    FLOAT,
    FLOAT_MATRIX,
    FLOAT_VECTOR,
    INT32,
    INT32_VECTOR,
    TOKEN,
    TOKEN_VECTOR,
    Holder,
    MatrixHolder,
    compressed_matrix,
)
from minikaldi.io.matrices import read_matrix, read_vector, write_matrix, write_vector
from minikaldi.io.objects import read_object, write_object
from minikaldi.io.opening import open_read, open_write
from minikaldi.io.posteriors import GAUSS_POSTERIOR, POSTERIOR
from minikaldi.io.primitives import (
    Reader,
    Writer,
    expect_token,
    read_binary_header,
    read_float,
    read_int32,
    read_token,
    write_binary_header,
    write_float,
    write_int32,
    write_token,
)
from minikaldi.io.ragged import GSELECT, POSTERIOR_ARRAYS, FrameIndices, FramePosteriors
from minikaldi.io.random_access import RandomAccessReader, random_access
from minikaldi.io.rows import matrix_shape, read_matrix_rows
from minikaldi.io.sequential import SequentialReader, sequential
from minikaldi.io.specifiers import are_tables, is_rspecifier
from minikaldi.io.wave import Wave, WaveHeader
from minikaldi.io.wave_holders import WAVE, WAVE_HEADER
from minikaldi.io.writers import TableWriter, writer

__all__ = [
    "BOOL",
    "DOUBLE",
    "DOUBLE_MATRIX",
    "DOUBLE_VECTOR",
    "FLOAT",
    "FLOAT_MATRIX",
    "FLOAT_VECTOR",
    "GAUSS_POSTERIOR",
    "GSELECT",
    "INT32",
    "INT32_VECTOR",
    "POSTERIOR",
    "POSTERIOR_ARRAYS",
    "TOKEN",
    "TOKEN_VECTOR",
    "WAVE",
    "WAVE_HEADER",
    "FrameIndices",
    "FramePosteriors",
    "Holder",
    "MatrixHolder",
    "RandomAccessReader",
    "Reader",
    "SequentialReader",
    "StreamContext",
    "TableWriter",
    "Wave",
    "WaveHeader",
    "Writer",
    "are_tables",
    "compressed_matrix",
    "expect_token",
    "is_rspecifier",
    "matrix_shape",
    "open_read",
    "open_write",
    "random_access",
    "read_binary_header",
    "read_float",
    "read_int32",
    "read_matrix",
    "read_matrix_rows",
    "read_object",
    "read_token",
    "read_vector",
    "sequential",
    "write_binary_header",
    "write_compressed",
    "write_float",
    "write_int32",
    "write_matrix",
    "write_object",
    "write_token",
    "write_vector",
    "writer",
]
