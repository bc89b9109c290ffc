// The main job from end to end, as a person would do it: the built CLI, in separate processes, against a server of its own.
// Every step is checked, and the first that is not as it should be ends the demo with exit code 1.
//
//     npm run demo [-- picture]
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DemoError, openStage } from './demo/stage.js';

const started = performance.now();
const OWN_PHOTO = fileURLToPath(new URL('../docs/photo.jpg', import.meta.url));
const PASSWORD = 'a quiet evening by the lake';
const UPLOAD_LIMIT = 5;

const colored = process.stdout.isTTY && !process.env['NO_COLOR'];
const bold = colored ? (/** @type {string} */ words) => `\u001b[1m${words}\u001b[22m` : String;
const dim = colored ? (/** @type {string} */ words) => `\u001b[2m${words}\u001b[22m` : String;

try {
  await demo(process.argv[2]);
} catch (error) {
  console.error('\ndemo: failed:', error instanceof DemoError ? error.message : error);
  // Ends the server as well, and removes its folder.
  process.exit(1);
}

/** @param {string | undefined} named the picture that the person has named */
async function demo(named) {
  // npm runs scripts in the project's folder, and says in INIT_CWD where the person is.
  const picture = named === undefined ? OWN_PHOTO : resolve(process.env['INIT_CWD'] ?? '.', named);
  expect(existsSync(picture), `there is no file ${picture}`);

  const stage = openStage();
  const { folder, imgup } = stage;
  const photo = named ?? 'photo.jpg';
  if (named === undefined) copyFileSync(OWN_PHOTO, join(folder, photo));
  writeFileSync(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });

  console.log(
    'The way of a picture from a file to a link, with the built imgup. Everything happens in a temporary folder, and',
  );
  console.log('the tokens are kept in a file there: your own keychain, configuration and servers are not touched.');

  step('Start a server');
  type(`cd ${folder}`);
  type('export XDG_CONFIG_HOME=$PWD/config IMGUP_CREDENTIAL_STORE=file');
  type('imgup serve --port 0 --data data &');
  const server = await stage.serve(['--port', '0', '--data', 'data']);
  show(server.announcement);
  const { origin } = server;
  type(`export IMGUP_SERVER=${origin}`);
  stage.setVariable('IMGUP_SERVER', origin);

  step('Register, and be logged in');
  type(`echo '${PASSWORD}' > password`);
  await run('register --username ada --password-stdin', { stdin: 'password' });
  const who = await run('whoami');
  expect(/^name +ada$/m.test(who.stdout), 'whoami does not say who is logged in');

  step('Upload a photo: stdout is its link, and nothing else');
  const link = await upload(photo, picture);

  step('Fetch the link, and compare');
  type(`curl -s ${link} | sha256sum`);
  const answer = await fetch(link);
  const fetched = sha256(Buffer.from(await answer.arrayBuffer()));
  show(`${fetched}  -`);
  type(`sha256sum ${quoted(photo)}`);
  const sent = sha256(readFileSync(picture));
  show(`${sent}  ${photo}`);
  expect(answer.status === 200, `the link answers ${answer.status}`);
  expect(answer.headers.get('content-type')?.startsWith('image/') === true, 'the link is not served as a picture');
  if (fetched !== sent) {
    // A photo of the person's may say where it was taken; what is served then says what it was made from.
    show('the metadata named above was taken out, so the digest is another; the server knows both');
    const { access_token: token } = storedTokens(join(stage.configuration, 'credentials.json'));
    type(`curl -H 'Authorization: Bearer ${shortened(token)}' ${origin}/api/images/by-digest/${sent}`);
    const found = await fetch(`${origin}/api/images/by-digest/${sent}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    const image = /** @type {{ url?: string, sha256?: string }} */ (await found.json());
    show(JSON.stringify(image));
    expect(image.url === link && image.sha256 === fetched, 'the link does not give the picture that was uploaded');
  }

  step(`Upload until the limit answers: ${UPLOAD_LIMIT} in any 60 seconds`);
  show('photo-2.jpg and so on are the photo with a comment in it: as good a picture, and other bytes');
  const links = new Set([link]);
  for (let count = 2; count <= UPLOAD_LIMIT; count++) links.add(await upload(...anotherPhoto(count)));
  expect(links.size === UPLOAD_LIMIT, 'different pictures got the same link');
  const [name] = anotherPhoto(UPLOAD_LIMIT + 1);
  const refused = await run(`upload ${name} --no-wait`, { code: 6 });
  expect(refused.stdout === '', 'an upload beyond the limit prints something on stdout');
  expect(/limit.*try again in \d+ s/.test(refused.stderr), 'the refusal does not say when to try again');

  step('Log out: both tokens are worthless from then on');
  const tokens = storedTokens(join(stage.configuration, 'credentials.json'));
  const [before] = await call('/api/me', tokens.access_token);
  expect(before === 200, `the access token is refused (${before}) before the logout`);
  await run('logout');
  type(`curl -H 'Authorization: Bearer ${shortened(tokens.access_token)}' ${origin}/api/me`);
  const [accessStatus, accessCode] = await call('/api/me', tokens.access_token, show);
  expect(accessStatus === 401 && accessCode === 'token_revoked', 'the access token still works after the logout');
  type(`curl --json '{"refresh_token":"${shortened(tokens.refresh_token)}"}' ${origin}/api/token/refresh`);
  const [refreshStatus, refreshCode] = await call('/api/token/refresh', tokens, show);
  expect(refreshStatus === 400 && refreshCode === 'invalid_grant', 'the refresh token still works after the logout');
  await run('whoami', { code: 4 });

  step('Stop the server');
  type('kill -INT %1');
  const code = await server.stop();
  expect(code === 0, `the server ended with exit code ${code}`);
  console.log(`\nEverything was as it should be. ${dim(`(${((performance.now() - started) / 1000).toFixed(1)} s)`)}`);

  /**
   * Types a command, shows what it answers, and checks its exit code.
   *
   * @param {string} words
   * @param {{ stdin?: string, code?: number, args?: string[] }} [options]
   */
  async function run(words, { stdin, code: expected = 0, args = words.split(' ') } = {}) {
    type(`imgup ${words}${stdin === undefined ? '' : ` < ${stdin}`}`);
    const outcome = await imgup(args, stdin === undefined ? {} : { stdin });
    show(outcome.stderr);
    show(outcome.stdout);
    if (outcome.code !== 0) show(dim(`(exit code ${outcome.code ?? 'none'})`));
    expect(outcome.code !== null, `\`imgup ${words}\` did not end, and was killed`);
    expect(outcome.code === expected, `\`imgup ${words}\` ended with exit code ${outcome.code}, and not ${expected}`);
    return outcome;
  }

  /**
   * @param {string} shown
   * @param {string} path
   */
  async function upload(shown, path) {
    const { stdout } = await run(`upload ${quoted(shown)}`, { args: ['upload', path] });
    const [url = ''] = /^(http:\/\/\S+\/i\/\S+)\n$/.exec(stdout)?.slice(1) ?? [];
    expect(url.startsWith(`${origin}/`), 'stdout is not exactly one link to this server');
    return url;
  }

  /**
   * The project's photo with a JPEG comment in it.
   *
   * @param {number} number
   * @returns {[name: string, path: string]}
   */
  function anotherPhoto(number) {
    const bytes = readFileSync(OWN_PHOTO);
    const comment = Buffer.from(`photo ${number}`);
    const segment = Buffer.from([0xff, 0xfe, 0, comment.length + 2, ...comment]);
    const copy = `photo-${number}.jpg`;
    writeFileSync(join(folder, copy), Buffer.concat([bytes.subarray(0, 2), segment, bytes.subarray(2)]));
    return [copy, join(folder, copy)];
  }

  /**
   * @param {string} path
   * @param {string | { refresh_token: string }} credential an access token, or what to refresh with
   * @param {(answer: string) => void} [tell]
   * @returns {Promise<[status: number, code: unknown]>} the status and the problem's code
   */
  async function call(path, credential, tell) {
    const request =
      typeof credential === 'string'
        ? { headers: { Authorization: `Bearer ${credential}` } }
        : {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ refresh_token: credential.refresh_token }),
          };
    const response = await fetch(`${origin}${path}`, request);
    const body = await response.text();
    tell?.(`${body}\n${dim(`(HTTP ${response.status})`)}`);
    const { code: problem } = /** @type {{ code?: unknown }} */ (JSON.parse(body));
    return [response.status, problem];
  }
}

/**
 * @param {string} path of the demo's own credentials
 * @returns {{ access_token: string, refresh_token: string }}
 */
function storedTokens(path) {
  const { records } = /** @type {{ records: { password: string }[] }} */ (JSON.parse(readFileSync(path, 'utf8')));
  expect(records.length === 1, `${path} does not hold exactly one log-in`);
  return /** @type {{ access_token: string, refresh_token: string }} */ (JSON.parse(records[0]?.password ?? ''));
}

/** @param {string} title */
function step(title) {
  console.log(`\n${bold(title)}`);
}

/** @param {string} command */
function type(command) {
  console.log(`  $ ${command}`);
}

/** @param {string} output */
function show(output) {
  if (output !== '') console.log(output.trimEnd().replaceAll(/^/gm, '    '));
}

/**
 * The beginning of a token, which is enough to tell it from others and of no use to anyone.
 *
 * @param {string} token
 */
function shortened(token) {
  return `${token.slice(0, 12)}…`;
}

/** @param {string} word */
function quoted(word) {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** @param {Buffer} bytes */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * @param {boolean} asItShouldBe
 * @param {string} otherwise
 */
function expect(asItShouldBe, otherwise) {
  if (!asItShouldBe) throw new DemoError(otherwise);
}
