/** `[scheduler]`: which backend gets a volume. */
import { Type } from '../schema.ts';
import { names, positive } from './forms.ts';

export const Scheduler = Type.Object(
  {
    scheduler_max_attempts: Type.Integer({
      ...positive,
      default: 3,
      description: 'How many backends a create may try. 1: the first choice is the only one.',
    }),
    scheduler_default_filters: Type.Array(names, {
      default: [
        'AvailabilityZoneFilter',
        'CapacityFilter',
        'CapabilitiesFilter',
        'DifferentBackendFilter',
        'SameBackendFilter',
      ],
      description: 'Which filters a pool must pass.',
    }),
    scheduler_default_weighers: Type.Array(names, {
      default: ['CapacityWeigher'],
      description: 'Which weighers order the pools that passed.',
    }),
    capacity_weight_multiplier: Type.Number({
      default: 1.0,
      description: 'Weight of free space. Positive spreads volumes, negative stacks them.',
    }),
    allocated_capacity_weight_multiplier: Type.Number({ default: -1.0, description: 'Weight of allocated space.' }),
    volume_number_multiplier: Type.Number({ default: -1.0, description: 'Weight of the number of volumes.' }),
  },
  { description: 'Which backend gets a volume.' },
);
