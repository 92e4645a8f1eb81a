# Writes the option headers that come before a picture. For decode_fuzz.cc: 4 bytes, then 3 views of 46 bytes.
set -e
out=$1
set -- "$out/decode_fuzz"
view() { # $1: flags, box, then little-endian pairs: width height, clip x y width height, box x y width height; $2: bytes of $1
  printf "$1"
  head -c $((46 - $2)) /dev/zero
}
none() { head -c 46 /dev/zero; }

# whole: the whole picture, NHWC uint8, every default.
{ head -c 4 /dev/zero; none; none; none; } >"$1/whole"
# view: 224 x 224 NCHW float16, mirrored, of a box that reaches out of the picture; ifast and plain upsampling.
{
  printf '\1\3\0\1'
  view '\023\2\340\0\340\0\0\0\0\0\0\0\0\0\0\140\0\200\0\140\0\160' 22
  none
  none
} >"$1/view"
# shared: three views, tolerant: 64 x 48 float32 of a clip, a copy of a part, 7 x 300 uint8.
{
  printf '\0\4\2\1'
  view '\044\0\100\0\60\0\0\40\0\20\0\200\0\200' 14
  view '\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\40\0\40\0\100\0\100' 22
  view '\3\2\7\0\54\1\0\0\0\0\0\0\0\0\0\200\0\200\0\200\0\140' 22
} >"$1/shared"

# For packed_input.h: flags, a crop of 8 bytes, four edits of 6 bytes.
# whole: the whole picture, with the table as it is. part: a crop, no byte to be read behind the sample.
head -c 33 /dev/zero >"$out/packed_fuzz/whole"
{
  printf '\1\0\60\0\50\0\100\0\120'
  head -c 24 /dev/zero
} >"$out/packed_fuzz/part"
