export { rotateSecretFile } from './adapters/filesystem/secret-file.ts';
export { createApp, type AppOptions, type ImgupApp } from './compose.ts';
export { readConfig, type ServerConfig, type Settings } from './config.ts';
export { StartError } from './errors.ts';
export { createLogger, type Logger, type LogLevel } from './logger.ts';
export type { AccountStore, Authorization, Session, User } from './ports/account-store.ts';
export type { ImageRecord, ImageStore, PutResult, Usage } from './ports/image-store.ts';
export type { LimitState, UploadLimiter } from './ports/upload-limiter.ts';
export { startServer, type RunningServer, type StartOptions } from './server.ts';
