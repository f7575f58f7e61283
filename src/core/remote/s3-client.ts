import { S3Client } from '@aws-sdk/client-s3';

// Newer versions of the SDK require a newer Node; the pinned one runs on all that we support.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/**
 * A client that is configured by AWS's own variables and profiles: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION,
 * AWS_ENDPOINT_URL_S3 and the like. With a custom endpoint, buckets are named in the path, as most such servers require;
 * DATAENGINE_S3_PATH_STYLE (`true`, `false`) overrides this.
 *
 * @param options.idleSeconds a connection without traffic for this long is closed
 */
export function createS3Client({ idleSeconds = 60 }: { idleSeconds?: number } = {}): S3Client {
  const {
    AWS_ENDPOINT_URL_S3: ofS3,
    AWS_ENDPOINT_URL: ofAll,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: otherRegion,
    DATAENGINE_S3_PATH_STYLE: pathStyle,
  } = process.env;
  const endpoint = ofS3 || ofAll;
  return new S3Client({
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: idleSeconds * 1000 },
    forcePathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === 'true',
    ...(endpoint && { endpoint, region: region || otherRegion || 'us-east-1' }),
  });
}
