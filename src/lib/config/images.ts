/** `[images]`: where images come from, and how they are converted. */
import { Type } from '../schema.ts';
import { positive } from './forms.ts';

/** The same for every store of images. */
const conversion = {
  image_conversion_dir: Type.String({
    minLength: 1,
    default: '$data_directory/conversion',
    path: '',
    description: 'Where images lie while they are converted.',
  }),
  image_conversion_address_space_limit: Type.Integer({
    ...positive,
    default: 1,
    description: 'Memory a conversion may use, GiB.',
  }),
  image_conversion_cpu_limit: Type.Integer({ ...positive, default: 3600, description: 'CPU seconds of a conversion.' }),
  image_conversion_timeout_seconds: Type.Integer({
    ...positive,
    default: 3600,
    description: 'Seconds after which a conversion is killed, and the unpacking of a compressed image before it.',
  }),
  enable_force_upload: Type.Boolean({
    default: false,
    description:
      'Whether volumes in use are uploaded when a client asks for it by force: what they held at one moment, as after a power cut.',
  }),
  allow_compression_on_image_upload: Type.Boolean({
    default: false,
    description:
      'Whether volumes are uploaded in the container format `compressed`, which takes a core for minutes and room where images are converted.',
  }),
} as const;

const DirectoryImages = Type.Object(
  {
    store: Type.Literal('directory', { description: 'Images are files in a directory of this machine.' }),
    directory: Type.String({
      minLength: 1,
      default: '$data_directory/images',
      path: '',
      description: 'The directory that holds them.',
    }),
    ...conversion,
  },
  { description: 'Images from a directory.' },
);

const GlanceImages = Type.Object(
  {
    store: Type.Literal('glance', { description: 'Images come from an image service (Glance v2).' }),
    glance_url: Type.String({
      pattern: '^https?://',
      form: 'a URL (http://… or https://…)',
      description: 'Where it answers, without the version.',
    }),
    glance_request_timeout: Type.Integer({
      ...positive,
      default: 60,
      description: 'Seconds it may be silent before a request fails, and may take to describe an image.',
    }),
    glance_ca_certificates_file: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) that vouch for it over https. Without it: those that come with Node.',
      }),
    ),
    ...conversion,
  },
  { description: 'Images from Glance.' },
);

export const Images = Type.Union([DirectoryImages, GlanceImages], { choice: 'store', default: { store: 'directory' } });
