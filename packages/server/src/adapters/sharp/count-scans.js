const EOI = 0xd9;
const SOS = 0xda;

/**
 * How many scans a JPEG has (ITU-T T.81, annex B). A decoder goes over all pixels for each, whose own bytes may be few.
 *
 * @param {import('./open-file.js').OpenFile} file
 */
export function countScans(file) {
  let scans = 0;
  for (let at = 2; ;) {
    const marker = findMarker(file, at);
    // Where the structure ends, so does the decoder.
    if (marker === null || marker.code === EOI || marker.at + 4 > file.size) return scans;
    if (marker.code === SOS) scans += 1;
    at = marker.at + 2 + file.read(marker.at + 2, 2).readUInt16BE();
  }
}

/**
 * The next marker that a length follows, behind compressed pixels too: in these, 0xff is followed by 0 or a restart.
 *
 * @param {import('./open-file.js').OpenFile} file
 * @param {number} from
 */
function findMarker(file, from) {
  for (let at = from; at + 1 < file.size;) {
    const bytes = file.look(at);
    const found = bytes.indexOf(0xff);
    at += found === -1 ? bytes.length : found;
    if (found === -1 || at + 1 >= file.size) continue;
    const code = file.read(at + 1, 1).readUInt8();
    if (code === 0xff) at += 1;
    else if (code <= 0x01 || (code >= 0xd0 && code <= 0xd7)) at += 2;
    else return { at, code };
  }
  return null;
}
