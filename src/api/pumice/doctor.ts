/** The doctor: what it found last, and an order to look again. */
import type { Desk } from '../../commands/desk.ts';
import { ServedDoctor } from '../../doctor/run-doctor.ts';
import { exec } from '../../lib/exec.ts';
import { route } from '../route.ts';
import { DoctorAnswer } from './answers.ts';

export const doctor = [
  route({
    method: 'GET',
    path: '/doctor',
    policy: 'pumice:doctor:get',
    answer: DoctorAnswer,
    handle: async ({ desk }) => doctorOf(desk).state,
  }),

  route({
    method: 'POST',
    path: '/doctor',
    policy: 'pumice:doctor:run',
    answer: DoctorAnswer,
    status: 202,
    handle: async ({ desk }) => doctorOf(desk).begin(),
  }),
];

const DOCTORS = new WeakMap<Desk, ServedDoctor>();

/** One a server. */
function doctorOf(desk: Desk): ServedDoctor {
  const known = DOCTORS.get(desk) ?? new ServedDoctor(desk.config, exec);
  DOCTORS.set(desk, known);
  return known;
}
