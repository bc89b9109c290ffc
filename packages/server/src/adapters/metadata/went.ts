/** What can be taken out of a picture, in the words of people and in the order in which they are told. */
export const WENT = [
  'GPS position',
  'author',
  'serial number',
  'camera model',
  'date taken',
  'camera settings',
  'maker notes',
  'software',
  'comment',
  'thumbnail',
  'second picture',
  'sound',
  'Exif',
  'XMP',
  'IPTC',
  'Content Credentials',
  'text',
  'time stamp',
  'private data of a program',
  'data between the parts',
  'data after the end',
] as const;

export type Went = (typeof WENT)[number];
