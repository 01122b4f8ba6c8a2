#!/usr/bin/env bash
# What audit.sh and completeness.sh sample: commands of programs that are installed. To be sourced, with the caller's
# arguments [CFIC [NAME...]]: leaves the names, sets `$cfic` and `$project`, goes to a directory that ends with the script,
# and defines each_program.
#
# Origin: own. Licence: Apache-2.0.

cfic=${1:-.build/release/cfic}
shift || true
[[ -x $cfic ]] || { echo "$(basename "$0"): no $cfic: make build" >&2; exit 125; }
cfic=$(realpath "$cfic") project=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
chmod 755 "$work" && cd "$work" || exit 1

# Writes the programs' inputs into the current directory, and calls `$1 NAME COMMAND` for each program that is installed and
# is in the list $2, unless that is empty. `$project` and `$cfic` are inputs, too.
each_program() {
	local visit=$1 only=" $2 "
	write_inputs
	# Visits NAME, whose program is PROGRAM.
	program() {
		[[ $only = "  " || $only = *" $1 "* ]] && command -v "$2" > /dev/null || return 0
		"$visit" "$1" "$3"
	}
	program openssl openssl 'exec openssl speed -seconds 2 -bytes 16384 ecdsap256 sha256 rsa2048'
	program python3 python3 'exec python3 program.py'
	program node node 'exec node program.js'
	program sqlite3 sqlite3 'exec sqlite3 data.sqlite < program.sql'
	program postgres psql '. ./postgres.sh'
	program git git "cd $project && git log --stat -500; git grep -c package; git blame docs/json.md"
	program gcc g++ 'exec g++ -O2 -c program.cc'
	program swift swiftc 'exec swiftc -O program.swift'
	program ffmpeg ffmpeg 'exec ffmpeg -f lavfi -i testsrc2=size=1280x720:rate=30:duration=4 -c:v libx264 -preset fast -f null -'
	program java java 'exec java Program.java'
	program perl perl "exec perl -e 'for (1..6000000) { \$h{\$_ % 1000} .= \"x\" if \$_ % 3 } join(\",\", values %h) =~ s/x+/<>/gr'"
	program xz xz 'head -c 30000000 '"$cfic"' | xz -6 -c'
	program bash bash "exec bash -c 'for i in {1..300}; do /bin/true; done; for ((i = 0; i < 400000; i++)); do ((x += i)); done'"
}

write_inputs() {
cat > program.cc <<'END'
#include <iostream>
#include <map>
#include <regex>
#include <string>
int main()
{
	std::map<std::string, int> numbers;
	std::regex expression("a+b");
	numbers["x"] = 1;
	std::cout << numbers.size() << std::regex_match("aab", expression);
}
END
cat > program.swift <<'END'
func texts(_ count: Int) -> [String] {
	(0..<count).map { "\($0 * 3)" }.filter { $0.hasSuffix("3") }.sorted { $0.count == $1.count ? $0 < $1 : $0.count < $1.count }
}
print(texts(1000).joined(separator: ","), Dictionary(grouping: texts(100), by: \.count))
END
cat > program.py <<'END'
import json, re, zlib
total = 0
for number in range(6000000): total += number * number % 7
text = json.dumps(list(range(500000)))
json.loads(text)
re.findall(r"(\d+),\s*(\d+)", text)
zlib.compress(text.encode() * 3, 9)
END
cat > program.js <<'END'
const counts = new Map();
for (let i = 0; i < 2e6; i++) counts.set("k" + i % 50000, (counts.get("k" + i % 50000) || 0) + i);
const numbers = Array.from({ length: 300000 }, Math.random).sort();
JSON.parse(JSON.stringify(numbers));
require("zlib").deflateSync(Buffer.alloc(3e7, "abcdef"));
require("crypto").pbkdf2Sync("a", "b", 300000, 64, "sha512");
END
cat > Program.java <<'END'
import java.util.*;

public class Program {
	public static void main(String[] words) {
		Map<Integer, String> texts = new HashMap<>();
		for (int i = 0; i < 3000000; i++) texts.put(i % 100000, "x" + i);
		int[] numbers = new Random(1).ints(3000000).toArray();
		Arrays.sort(numbers);
		java.util.zip.CRC32 sum = new java.util.zip.CRC32();
		for (int i = 0; i < 40; i++) sum.update(new byte[1 << 24]);
		System.out.println(texts.size() + numbers[5] + sum.getValue());
	}
}
END
cat > program.sql <<'END'
create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 900000)
insert into t select x, hex(randomblob(16)) from c;
create index i on t(b);
select count(*), max(b) from t where b > (select avg(a) from t);
select count(*) from t a join t b on a.b = b.b;
END
cat > postgres.sh <<'END'
data=$PWD/data bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
mkdir "$data" && chown postgres "$data"
as() { su postgres -c "$1"; }
as "$bin/initdb -D $data" && as "$bin/pg_ctl -D $data -o '-k /tmp -p 5999 -c listen_addresses=' -w start -l $data/log"
as "psql -h /tmp -p 5999 -c 'create table t as select i, md5(i::text) m from generate_series(1,400000) i' \
	-c 'create index on t(m)' -c 'select count(*), max(a.m) from t a join t b on a.i=b.i where a.m like \$\$%a%\$\$'"
as "$bin/pg_ctl -D $data -m fast stop"
END
}
