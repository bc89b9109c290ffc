import type { Plan } from './plan.ts';
import type { Went } from './went.ts';

/** The tags that tell something about somebody, as the reader calls them. */
const TELLING: Partial<Record<Went, RegExp>> = {
  author: /^(Artist|Copyright|XPAuthor|CameraOwnerName|Photographer|ImageEditor)$/,
  'serial number': /SerialNumber$|^ImageUniqueID$/,
  'camera model': /^(Make|Model|UniqueCameraModel|LensMake|LensModel)$/,
  'date taken': /^(DateTime|DateTimeOriginal|DateTimeDigitized)$/,
  'camera settings': /^(ExposureTime|FNumber|ExposureProgram|ISOSpeedRatings|FocalLength|Flash|MeteringMode)$/,
  'maker notes': /^MakerNote$/,
  software: /^(Software|ProcessingSoftware|HostComputer)$/,
  comment: /^(UserComment|ImageDescription|XPComment|XPTitle|XPSubject|XPKeywords)$/,
};

/** What says how the pixels lie, and nothing about anybody. */
const TECHNICAL =
  /^(Orientation|FileType|[XY]Resolution|ResolutionUnit|YCbCrPositioning|ExifVersion|FlashpixVersion|ComponentsConfiguration|ColorSpace|Pixel[XY]Dimension|.* IFD Pointer)$/;

/** Loaded beside the start, which need not wait for it; later there may be no descriptor, and node tries no import twice. */
const library = import('exifreader').catch(() => null);

/** What an Exif block tells, for people. The block goes whatever is found: this only gives names to it. */
export async function nameExif(plan: Plan, exif: Buffer): Promise<Went[]> {
  if (!plan.mayNameExif()) return ['Exif'];
  const reader = await library;
  if (reader === null) return ['Exif'];
  let names: string[];
  let hasThumbnail: boolean;
  try {
    // Nothing that leads into other formats inside the block: they go with it.
    const found = reader.default.load(exif, { expanded: true, includeTags: { exif: true, thumbnail: true } });
    names = Object.keys(found.exif ?? {}).filter((name) => !TECHNICAL.test(name));
    hasThumbnail = found.Thumbnail !== undefined;
  } catch {
    return ['Exif'];
  }

  const went = new Set<Went>();
  if (hasThumbnail) went.add('thumbnail');
  for (const name of names) {
    if (/^GPS(?!VersionID)/.test(name)) went.add('GPS position');
    for (const [what, pattern] of Object.entries(TELLING)) {
      if (pattern.test(name)) went.add(what as Went);
    }
  }
  if (went.size === 0 && names.length > 0) went.add('Exif');
  return [...went];
}
