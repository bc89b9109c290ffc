import { paths } from '@imgup/shared';
import type { Integration } from './integration.ts';
import { shellQuote } from './shell-quote.ts';

/** A POSIX shell script: a screenshot by Flameshot, or by what `IMGUP_SCREENSHOT` says, and an upload by curl. */
export const flameshotIntegration: Integration = (origin, key) => ({
  configuration: script(shellQuote(`${origin}${paths.images}`), key),
  advice: [
    'Save it as a file, chmod 700 it, and bind it to a key: it prints the link, and puts it on the clipboard.',
    'It needs flameshot (or what IMGUP_SCREENSHOT says), curl 7.76 or later, and wl-copy or xclip for the clipboard.',
  ],
});

// The picture goes through a file: in a pipe, nobody would see that the screenshot failed. The key goes to curl by its
// standard input, because others on the machine can read arguments.
const script = (url: string, key: string) => String.raw`#!/bin/sh
# Takes a screenshot, uploads it, prints its link, and puts it on the clipboard.
# Another program than Flameshot can take it, one that writes the picture to its standard output:
#   IMGUP_SCREENSHOT='grim -g "$(slurp)" -'
#   IMGUP_SCREENSHOT='maim --select'

url=${url}
key=${key}
screenshot=$IMGUP_SCREENSHOT
[ -n "$screenshot" ] || screenshot='flameshot gui --raw'

fail() {
  printf 'imgup: %s\n' "$1" >&2
  exit 1
}

folder=$(mktemp -d) || fail 'There is no place for a temporary file.'
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sh -c "$screenshot" >"$folder/screenshot.png" || fail 'No screenshot was taken.'
[ -s "$folder/screenshot.png" ] || fail 'No screenshot was taken.'

cd "$folder" || fail 'The temporary folder is gone.'
answer=$(
  printf 'header = "Authorization: Bearer %s"\n' "$key" |
    curl --config - --globoff --silent --show-error --fail-with-body --connect-timeout 30 \
      --header 'Accept: text/plain' --form 'file=@screenshot.png' "$url"
)
status=$?
if [ "$status" -ne 0 ]; then
  reason=$(printf '%s\n' "$answer" | sed -n 's/.*"detail":"\(.*\)","code":.*/\1/p')
  [ -n "$reason" ] || reason="curl ended with $status."
  fail "The screenshot was not uploaded. $reason"
fi
case $answer in
  http://* | https://*) ;;
  *) fail "What answers at $url is not imgup." ;;
esac

copy() {
  if [ -n "$WAYLAND_DISPLAY" ] && command -v wl-copy; then
    printf %s "$answer" | wl-copy
  elif [ -n "$DISPLAY" ] && command -v xclip; then
    printf %s "$answer" | xclip -selection clipboard
  fi
}
copy >/dev/null 2>&1 || printf 'imgup: The link could not be put on the clipboard.\n' >&2

printf '%s\n' "$answer"`;
