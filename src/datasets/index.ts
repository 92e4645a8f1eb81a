export type { LooseSample, LooseValue } from './field-types.ts'
export { ImageFolder, type ImageFolderOptions, type ImageFolderSchema, imageFolder } from './image-folder.ts'
export { type FromSamplesOptions, fromSamples, type LooseSamples, SampleStream } from './iterable.ts'
