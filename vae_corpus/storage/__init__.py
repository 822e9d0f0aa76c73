"""Files that are either whole or not there, on a local disk or an object store.

Callers see functions of paths and URLs. Behind them is one interface (`place`) with two classes:
`local` writes beside the target, fsyncs and renames; `remote` sends one finished upload, which
stores make visible all at once. A second writer of the same path writes the same bytes, so whoever
comes last changes nothing.
"""

from vae_corpus.storage.faults import StoreError, TooLarge
from vae_corpus.storage.files import (
    commit,
    commit_bytes,
    create,
    each_name,
    exchange,
    exists,
    filesystem,
    folders,
    is_local,
    join,
    listing,
    name_of,
    names,
    open_read,
    patiently,
    read_bytes,
    read_many,
    read_ranges,
    read_view,
    remove,
    remove_folder,
    size_bytes,
    stream,
    sweep,
)
from vae_corpus.storage.flight import allow_requests, in_order
from vae_corpus.storage.local import DiskFull, sync_folder, told_if_full
from vae_corpus.storage.parquet import (
    commit_table,
    dataset,
    parquet_metadata,
    query,
    table_bytes,
)
from vae_corpus.storage.permission import guarded
from vae_corpus.storage.place import Entry
from vae_corpus.storage.remote import forget

__all__ = [
    "DiskFull",
    "Entry",
    "StoreError",
    "TooLarge",
    "allow_requests",
    "commit",
    "commit_bytes",
    "commit_table",
    "create",
    "each_name",
    "dataset",
    "exchange",
    "exists",
    "filesystem",
    "folders",
    "forget",
    "guarded",
    "in_order",
    "is_local",
    "join",
    "listing",
    "name_of",
    "names",
    "open_read",
    "patiently",
    "parquet_metadata",
    "query",
    "read_bytes",
    "read_many",
    "read_ranges",
    "read_view",
    "remove",
    "remove_folder",
    "size_bytes",
    "stream",
    "sweep",
    "sync_folder",
    "table_bytes",
    "told_if_full",
]
