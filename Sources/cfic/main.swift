import TableCompiler
import UnwindTable
import CallFrameInfo
import ELF
import Glibc
func now() -> Double { var t = timespec(); clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return Double(t.tv_sec)*1e9 + Double(t.tv_nsec) }
let c = ImageCompiler(debugFiles: nil, threads: 1)
let args = CommandLine.arguments
let reps = Int(args[1])!
for p in args[2...] {
 do {
  let image = try ELFImage(path: p)
  var best = Double.infinity; var first = 0.0
  var r: ImageCompiler.Result! = nil
  for i in 0..<reps { let t = now(); r = try c.compile(image, key: .content([1])); let d = now()-t; if i == 0 {first = d}; best = min(best,d) }
  let k = r.built.counts
  print(p, "raw", k.raw_rows, "rows", k.rows, "B/row", Double(r.built.table.count)/Double(k.rows), "ns/raw", best/Double(k.raw_rows), "first", first/Double(k.raw_rows), "bad", k.bad_fdes, k.overlapping_fdes, k.dropped_fdes, "cov", k.covered_bytes, k.lowered_bytes, k.executable_bytes)
 } catch { print(p, error) }
}
do { let image = try ELFImage(path: args[2]); let r = try c.compile(image, key: .content([1])); let fd = open("/tmp/table.out", O_CREAT|O_TRUNC|O_WRONLY, 0o644); _ = write(fd, r.built.table.baseAddress!, r.built.table.count) } catch {}
