-- Load for wrk: "get", or "post" (600 bytes of JSON with the fields the openai SDK sends).
-- Arguments: kind, path, file of keys, milliseconds that a connection rests between two calls. No head is ever sent twice: each POST has a traceparent of its own.
local prefix, count, turn = {}, 0, 0
local suffix, kind

function init(args)
  kind = args[1]
  local path, file, rest = args[2], args[3], tonumber(args[4] or '0')
  if rest > 0 then -- wrk takes whole milliseconds: chance makes the mean
    function delay() return math.floor(rest + math.random()) end
  end
  local body = '{"model":"small","messages":[{"role":"user","content":"' .. string.rep('x', 540) .. '"}]}'
  for key in io.lines(file) do
    count = count + 1
    if kind == 'post' then
      prefix[count] = 'POST ' .. path .. ' HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n' ..
        'Accept-Encoding: gzip, deflate, br\r\nAuthorization: Bearer ' .. key .. '\r\nConnection: keep-alive\r\n' ..
        'Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99.1\r\nX-Stainless-Arch: x64\r\n' ..
        'X-Stainless-Async: false\r\nX-Stainless-Lang: python\r\nX-Stainless-OS: Linux\r\n' ..
        'X-Stainless-Package-Version: 1.99.1\r\nX-Stainless-Raw-Response: false\r\nX-Stainless-Retry-Count: 0\r\n' ..
        'X-Stainless-Read-Timeout: 600\r\nX-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\n' ..
        'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e47'
    else
      prefix[count] = 'GET ' .. path .. ' HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ' .. key ..
        '\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n\r\n'
    end
  end
  suffix = '-01\r\nContent-Length: ' .. #body .. '\r\n\r\n' .. body
end

function request()
  turn = turn + 1
  if kind ~= 'post' then return prefix[turn % count + 1] end
  return prefix[turn % count + 1] .. string.format('%02x-%016x', turn % 256, turn) .. suffix
end
