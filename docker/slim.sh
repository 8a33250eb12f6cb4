#!/bin/sh
# Take out of the packages in $VIRTUAL_ENV what only those who develop them need.
set -eu

find "$VIRTUAL_ENV/lib" -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) -prune -exec rm -r {} +
# Not the whole folder: without torch_shm_manager torch is not imported.
find "$VIRTUAL_ENV/lib" -path '*/torch/bin/*' \( -name 'test_*' -o -name '*Test' -o -name 'protoc*' \) -delete
