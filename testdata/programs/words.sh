# Reads headers line by line: what the picture in the README is of. Its functions have names without debug files.
#
# Origin: own. Licence: Apache-2.0.
for file in /usr/include/*.h; do
	while read -r line; do
		words=($line)
		text=${line//define/DEFINE}
	done < "$file"
done
