// What a person would write with fetch: node upload-fetch.js <url> <token> <file>
import { openAsBlob } from 'node:fs';

const [, , url = '', token = '', file = ''] = process.argv;
const answer = await fetch(`${url}/api/images`, {
  method: 'POST',
  headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'image/jpeg' },
  body: await openAsBlob(file),
});
if (answer.status !== 201) process.exitCode = 1;
const { url: link } = await answer.json();
console.log(link);
