#!/bin/sh
# Puts the real LiteLLM proxy into a folder (0.7 GB): install.sh FOLDER. Then set REAL_LITELLM=FOLDER
# and the tests in tests/samples/relays/test_real_litellm.py run. Needs Python 3.11, Node 20 and npm.
set -eu
folder=${1:?usage: install.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'litellm[proxy]==1.106.2' 'prisma==0.15.0'
cp "$here/engine.js" "$here/package.json" "$folder/"
(cd "$folder" && npm install --ignore-scripts --no-audit --no-fund --silent)
printf '#!/bin/sh\ncd "%s" && exec node engine.js "$@"\n' "$folder" > "$folder/query-engine"
chmod +x "$folder/query-engine"
schema=$("$folder/venv/bin/python" -c 'import litellm_proxy_extras as m, os; print(os.path.dirname(m.__file__))')/schema.prisma
# one target only: the others would be downloaded
sed 's/binaryTargets = .*/binaryTargets = ["native"]/' "$schema" > "$folder/schema.prisma"
PATH="$folder/venv/bin:$PATH" PRISMA_CLI_QUERY_ENGINE_TYPE=binary \
  PRISMA_QUERY_ENGINE_BINARY="$folder/query-engine" PRISMA_SCHEMA_ENGINE_BINARY="$folder/query-engine" \
  "$folder/venv/bin/prisma" generate --schema "$folder/schema.prisma" > /dev/null
echo "LiteLLM is ready in $folder"
