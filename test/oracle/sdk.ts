import { createRequire } from 'node:module'

/** AWS's own client for JavaScript, as far as tests use it. Its types lie where it does, which is not everywhere. */
export interface Sdk {
  /** `Command(input)` of the SDK, sent and answered. */
  send(command: string, input: object): Promise<SdkAnswer>
  destroy(): void
}

// biome-ignore lint/suspicious/noExplicitAny: answers have the shapes that the SDK's documentation gives
export type SdkAnswer = any

interface SdkModule {
  readonly S3Client: new (options: object) => { send(command: object): Promise<SdkAnswer>; destroy(): void }
  readonly [command: string]: new (input: object) => object
}

// It says once a process that a later version of it will want a later Node.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

function load(): SdkModule | undefined {
  try {
    return createRequire(import.meta.url)('@aws-sdk/client-s3') as SdkModule
  } catch {
    return undefined
  }
}

const sdk = load()

/** What the name of a skipped test says. */
export const NO_SDK = '(npm ci in test/oracle installs the SDK)'
export const hasSdk = sdk !== undefined

export function openSdk(endpoint: string, options: object = {}): Sdk {
  if (sdk === undefined) throw new Error('the SDK is not installed')
  const client = new sdk.S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
    maxAttempts: 1,
    ...options,
  })
  return {
    send(command, input) {
      const Command = sdk[`${command}Command`]
      if (Command === undefined) throw new Error(`the SDK has no ${command}`)
      return client.send(new Command(input))
    },
    destroy: () => client.destroy(),
  }
}
