"""The servers that the gate is measured beside, each set up as its own manual advises.

What they do: ``nginx`` and ``envoy`` only pass on; ``nginx_lua`` checks a key in a shared
table, a rate, a concurrency and writes a log; ``haproxy`` looks the key up in a map, counts its
rate in a stick table and replaces the credential; ``litellm`` does far more than a gate and is
quoted as context. None of them counts units exactly or survives a kill without losing some.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import _stand

_NGINX = """
{modules}{user}worker_processes 1; pid {run}/{name}.pid; error_log {run}/{name}.err crit; daemon off;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; client_max_body_size 64m;
  client_body_temp_path {run}/t1; proxy_temp_path {run}/t2; fastcgi_temp_path {run}/t3;
  uwsgi_temp_path {run}/t4; scgi_temp_path {run}/t5;
{http}  upstream u {{
    server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 3600s;
  }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{
{location}      proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
    location /v3/ {{
      proxy_pass http://127.0.0.1:{streams}; proxy_buffering off; proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""
_LUA_HTTP = """  lua_shared_dict keys 64m; lua_shared_dict lim 64m;
  log_format j '$msec $request_method $uri $status $body_bytes_sent $request_time';
  access_log {run}/lua.access.log j buffer=64k flush=10ms;
  init_by_lua_block {{
    for line in io.lines('{run}/keys.txt') do ngx.shared.keys:set(line, '1000000') end
  }}
"""
_LUA_LOCATION = """      access_by_lua_block {
        local a = ngx.var.http_authorization
        if not a then return ngx.exit(401) end
        local k = string.sub(a, 8)
        local rate = tonumber(ngx.shared.keys:get(k) or '')
        if not rate then return ngx.exit(401) end
        local lim, now = ngx.shared.lim, ngx.now()
        local tat = lim:get(k) or now
        if tat < now then tat = now end
        if tat - now > 5 then return ngx.exit(429) end
        lim:set(k, tat + 1 / rate)
        if lim:incr('c' .. k, 1, 0) > 10000 then return ngx.exit(429) end
        ngx.ctx.k = k
        ngx.header['RateLimit'] = '"default";r=' .. math.floor((now + 5 - tat) * rate) .. ';t=1'
      }
      log_by_lua_block {
        local k = ngx.ctx.k
        if k then ngx.shared.lim:incr('c' .. k, -1); ngx.shared.lim:incr('u' .. k, 1, 0) end
      }
      proxy_set_header Authorization "Bearer upstream-secret";
"""
_HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
frontend f
  bind 127.0.0.1:{port}
  stick-table type string len 64 size 200k expire 60s store http_req_rate(1s),conn_cur
  http-request set-var(txn.kid) http_auth_bearer,map_str({run}/keys.hamap)
  http-request deny deny_status 401 unless {{ var(txn.kid) -m found }}
  http-request track-sc0 var(txn.kid)
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000 }}
  http-request set-header Authorization "Bearer upstream-secret"
  default_backend b
backend b
  server s 127.0.0.1:{upstream} pool-max-conn 256
"""
_ENVOY = """
static_resources:
  listeners:
  - name: l
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {types}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: i
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: v
              domains: ["*"]
              routes: [ {{ match: {{ prefix: "/" }}, route: {{ cluster: up, timeout: 0s }} }} ]
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": {types}.filters.http.router.v3.Router
              suppress_envoy_headers: true
  clusters:
  - name: up
    type: STATIC
    circuit_breakers:
      thresholds: [ {{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }} ]
    load_assignment:
      cluster_name: up
      endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address:
        {{ address: 127.0.0.1, port_value: {upstream} }} }} }} }} ] }} ]
"""
LUA_MODULES = Path("/usr/lib/nginx/modules")


@dataclass(frozen=True, slots=True)
class Server:
    """How to start a server."""

    name: str
    command: list[str]
    port: int
    env: dict[str, str]
    keys: str = "keys.txt"
    """The file of the keys that it knows."""


def _nginx(
    run: Path,
    upstream: int,
    name: str,
    http: str = "",
    location: str = "",
    modules: str = "",
    streams: int = 9,
) -> Server:
    port = _stand.free_port()
    config = run / f"{name}.conf"
    config.write_text(
        _NGINX.format(
            run=run,
            name=name,
            upstream=upstream,
            port=port,
            http=http,
            location=location,
            modules=modules,
            user=_stand.nginx_user(),
            streams=streams,
        )
    )
    return Server(name, [_stand.program("nginx"), "-p", str(run), "-c", str(config)], port, {})


def nginx(run: Path, upstream: int, streams: int = 9) -> Server:
    """A plain ``proxy_pass`` with a kept-alive upstream. Raises ``NotHere``."""
    return _nginx(run, upstream, "nginx", streams=streams)


def nginx_lua(run: Path, upstream: int) -> Server:
    """Key, rate, concurrency, count and log in Lua, as Kong and APISIX are made. Raises ``NotHere``."""
    if not (LUA_MODULES / "ngx_http_lua_module.so").exists():
        raise _stand.NotHere("nginx's Lua module is not installed (libnginx-mod-http-lua)")
    modules = "".join(
        f"load_module {LUA_MODULES / name};\n" for name in ("ndk_http_module.so", "ngx_http_lua_module.so")
    )
    return _nginx(run, upstream, "nginx_lua", _LUA_HTTP.format(run=run), _LUA_LOCATION, modules)


def haproxy(run: Path, upstream: int) -> Server:
    """Key by map, rate by stick table. Raises ``NotHere``."""
    port = _stand.free_port()
    config = run / "haproxy.cfg"
    config.write_text(_HAPROXY.format(run=run, upstream=upstream, port=port))
    return Server("haproxy", [_stand.program("haproxy"), "-db", "-f", str(config)], port, {})


def envoy(run: Path, upstream: int) -> Server:
    """Plain Envoy. Raises ``NotHere``."""
    port = _stand.free_port()
    config = run / "envoy.yaml"
    config.write_text(
        _ENVOY.format(upstream=upstream, port=port, types="type.googleapis.com/envoy.extensions")
    )
    command = [_stand.program("envoy"), "--concurrency", "1", "-l", "error", "--base-id", "7"]
    return Server("envoy", [*command, "-c", str(config)], port, {})


def litellm(run: Path, upstream: int) -> Server:
    """LiteLLM's proxy, one worker, a master key, no database. Raises ``NotHere``."""
    port = _stand.free_port()
    config = run / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: small\n    litellm_params: {model: openai/small,"
        f' api_base: "http://127.0.0.1:{upstream}/v1", api_key: x}}\n'
        "general_settings: {master_key: sk-master, disable_spend_logs: true}\n"
        "litellm_settings: {telemetry: false, num_retries: 0}\n"
    )
    command = [_stand.program("litellm"), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    (run / "litellm.keys").write_text("sk-master\n")
    return Server("litellm", [*command, "--num_workers", "1"], port, {"LITELLM_LOG": "ERROR"}, "litellm.keys")


def ours(home: Path, *, pure: bool) -> Server:
    """Our gate with every duty on."""
    command, port, env = _stand.gate_command(home, pure=pure)
    return Server("ours_pure" if pure else "ours", command, port, env)
