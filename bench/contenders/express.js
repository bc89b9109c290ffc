// Receives a multipart upload into a file, and does nothing else: node express.js <folder>
import express from 'express';
import multer from 'multer';

const [, , folder = ''] = process.argv;
const app = express();
const upload = multer({ dest: folder, limits: { fileSize: 64 * 1024 * 1024 } });
app.post('/upload', upload.single('file'), (request, response) => {
  response.status(201).json({ name: request.file?.originalname });
});
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
