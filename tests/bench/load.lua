-- Asks wrk's server for the paths of a file, one after another; tells how it went as JSON.
local paths, n, head = {}, 0, {}
function init(args)
  for line in io.lines(args[1]) do paths[#paths + 1] = line end
  head["Authorization"] = "Bearer " .. args[2]
  if args[3] then head["If-None-Match"] = args[3] end
  for i, path in ipairs(paths) do paths[i] = wrk.format("GET", path, head) end
end
function request()
  n = n % #paths + 1
  return paths[n]
end
function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    failed.status + failed.connect + failed.read + failed.write + failed.timeout))
end
