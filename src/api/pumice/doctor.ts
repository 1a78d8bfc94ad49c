/** The doctor: what it found last, and an order to look again. */
import { doctorOf } from '../../doctor/run-doctor.ts';
import { route } from '../route.ts';
import { DoctorAnswer } from './answers.ts';

export const doctor = [
  route({
    method: 'GET',
    path: '/doctor',
    policy: 'pumice:doctor:get',
    answer: DoctorAnswer,
    handle: async ({ desk }) => doctorOf(desk.config).state,
  }),

  route({
    method: 'POST',
    path: '/doctor',
    policy: 'pumice:doctor:run',
    answer: DoctorAnswer,
    status: 202,
    handle: async ({ desk }) => doctorOf(desk.config).begin(),
  }),
];
