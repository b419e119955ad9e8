"""What Cloud Storage's predefined roles allow, as far as there is anything here to allow."""

_OBJECT = "storage.objects."
GET, LIST, CREATE, DELETE = (_OBJECT + verb for verb in ("get", "list", "create", "delete"))
BUCKET_GET, BUCKET_LIST = "storage.buckets.get", "storage.buckets.list"
_OBJECTS = frozenset({GET, LIST, CREATE, DELETE})
_BUCKET_WRITER = frozenset({BUCKET_GET, LIST, CREATE, DELETE})
ROLES = {
    "roles/storage.admin": _OBJECTS | {BUCKET_GET, BUCKET_LIST},
    "roles/storage.bucketViewer": frozenset({BUCKET_GET, BUCKET_LIST}),
    "roles/storage.folderAdmin": _OBJECTS,
    "roles/storage.legacyBucketOwner": _BUCKET_WRITER,
    "roles/storage.legacyBucketReader": frozenset({BUCKET_GET, LIST}),
    "roles/storage.legacyBucketWriter": _BUCKET_WRITER,
    "roles/storage.legacyObjectOwner": frozenset({GET}),
    "roles/storage.legacyObjectReader": frozenset({GET}),
    "roles/storage.objectAdmin": _OBJECTS,
    "roles/storage.objectCreator": frozenset({CREATE}),
    "roles/storage.objectUser": _OBJECTS,
    "roles/storage.objectViewer": frozenset({GET, LIST}),
}
