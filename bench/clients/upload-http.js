// What a person would write with node:http: node upload-http.js <url> <token> <file>
import { createReadStream, statSync } from 'node:fs';
import { request } from 'node:http';

const [, , url = '', token = '', file = ''] = process.argv;
const headers = {
  Authorization: `Bearer ${token}`,
  'Content-Type': 'image/jpeg',
  'Content-Length': statSync(file).size,
};
const upload = request(`${url}/api/images`, { method: 'POST', headers }, (answer) => {
  let body = '';
  answer.on('data', (chunk) => (body += chunk));
  answer.on('end', () => {
    if (answer.statusCode !== 201) process.exitCode = 1;
    console.log(JSON.parse(body).url);
  });
});
createReadStream(file).pipe(upload);
