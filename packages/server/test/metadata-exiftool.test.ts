import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stripMetadata } from '../src/adapters/metadata/strip-metadata.ts';
import { cameraExif, detailed, insert, jpegSegment, looks, moving } from './metadata.ts';

/** An independent reader and writer of metadata: Debian's libimage-exiftool-perl. */
const hasExiftool = spawnSync('exiftool', ['-ver']).status === 0;
if (!hasExiftool)
  console.info('exiftool is not here: the test that an independent reader finds nothing private is left out.');

const formats = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const;
type Format = (typeof formats)[number];

/** What a program can read of a picture that has nothing private: how it is packed, shown and coloured. */
const ALLOWED = [
  /^(ExifTool|System|ICC_Profile|ICC-header|ICC-view|ICC-meas|ICC-chrm|Composite|JFIF|RIFF|PNG-pHYs|PNG-cICP|Adobe|APP14|QuickTime|GIF):/,
  /^File:(FileType|FileTypeExtension|MIMEType|ExifByteOrder|Image(Width|Height)|EncodingProcess|BitsPerSample|ColorComponents|YCbCrSubSampling)$/,
  /^PNG:(ImageWidth|ImageHeight|BitDepth|ColorType|Compression|Filter|Interlace|ProfileName|SRGBRendering|Palette)$/,
  /^Meta:PrimaryItemReference$/,
  /^IFD0:Orientation$/,
];
const PRIVATE =
  /GPS|XMP|IPTC|Exif(IFD)?:|Photoshop|MakerNotes|Comment|Author|Artist|JUMBF|C2PA|CBOR|Thumbnail|Preview|Trailer/i;

/** What a photographer's and an editor's programs leave. */
const ASSIGNMENTS = `
  -EXIF:Orientation#=6
  -EXIF:Make=Acme
  -EXIF:Model=Shot 3000
  -EXIF:SerialNumber=SN-1
  -EXIF:GPSLatitude=51.5
  -EXIF:GPSLatitudeRef=N
  -EXIF:GPSLongitude=0.12
  -EXIF:GPSLongitudeRef=W
  -EXIF:DateTimeOriginal=2024:02:29 12:00:00
  -EXIF:Artist=Ada
  -EXIF:Software=Editor
  -EXIF:UserComment=hi
  -XMP:GPSLatitude=51.5
  -XMP:Creator=Ada
  -XMP:PersonInImage=Ada
  -IPTC:By-line=Ada
  -IPTC:City=London
  -Photoshop:CaptionWriter=Ada
  -Comment=a comment
  -PNG:Author=Ada
  -PNG:Software=Editor
`
  .trim()
  .split(/\n\s*/);

describe.skipIf(!hasExiftool)('exiftool', () => {
  let folder: string;
  const before = new Map<Format, string[]>();
  const after = new Map<Format, string[]>();
  const removed = new Map<Format, string[]>();

  // One start for all, because a start is what takes the time.
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imgup-exiftool-'));
    const path = (format: Format) => join(folder, `rich.${format}`);
    const thumbnail = join(folder, 'thumbnail');
    await writeFile(thumbnail, await detailed(16, 16).jpeg().toBuffer());
    for (const format of formats) {
      const picture =
        format === 'gif' ? await moving('gif') : await detailed().withIccProfile('p3').toFormat(format).toBuffer();
      await writeFile(path(format), picture);
    }
    // It writes notes of a maker's where there are some already, and none of its own.
    const block = jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), cameraExif()]));
    await writeFile(path('jpeg'), insert(await readFile(path('jpeg')), 2, block));

    // It says of each file what it cannot write into its format, and writes the rest.
    spawnSync('exiftool', [
      '-q',
      '-q',
      '-m',
      '-overwrite_original',
      ...ASSIGNMENTS,
      `-EXIF:ThumbnailImage<=${thumbnail}`,
      ...formats.map(path),
    ]);

    for (const format of formats) {
      const options = { from: path(format), to: join(folder, `stripped.${format}`), type: `image/${format}` } as const;
      const made = await stripMetadata({ ...options, bytes: (await stat(path(format))).size, known: [] });
      await made?.file.close();
      removed.set(format, made?.removed ?? []);
    }
    const files = formats.flatMap((format) => [path(format), join(folder, `stripped.${format}`)]);
    // -ee looks into what is embedded, and -a says twice what is there twice.
    const read = execFileSync('exiftool', ['-json', '-G1', '-a', '-ee', '-u', ...files], {
      maxBuffer: 2 ** 24,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for (const { SourceFile, ...tags } of JSON.parse(read.toString()) as Record<string, unknown>[]) {
      const [state, format] = basename(String(SourceFile)).split('.');
      (state === 'rich' ? before : after).set(format as Format, Object.keys(tags));
    }
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true }));

  test.each(formats)('finds nothing private in a stripped %s, and much before', async (format) => {
    const found = before.get(format) ?? [];
    expect(found.filter((tag) => PRIVATE.test(tag)).length).toBeGreaterThan(format === 'gif' ? 3 : 10);
    const left = after.get(format) ?? [];
    expect(left.length).toBeGreaterThan(10);
    expect(left.filter((tag) => PRIVATE.test(tag) || !ALLOWED.some((pattern) => pattern.test(tag)))).toEqual([]);
    expect(left.some((tag) => tag === 'IFD0:Orientation')).toBe(['jpeg', 'png', 'webp'].includes(format));
    if (format !== 'gif') {
      expect(left.some((tag) => tag.startsWith('ICC_Profile:'))).toBe(true);
      expect(removed.get(format)).toEqual(
        expect.arrayContaining(['GPS position', 'serial number', 'camera model', 'XMP']),
      );
    }
  });

  test.each(formats)('and the %s looks as it did', async (format) => {
    const { orientation, ...rich } = await looks(join(folder, `rich.${format}`));
    const stripped = await looks(join(folder, `stripped.${format}`));
    expect(stripped).toEqual({ ...rich, orientation: format === 'avif' ? stripped.orientation : orientation });
    if (format !== 'gif' && format !== 'avif') expect(orientation).toBe(6);
  });
});
