/** `alarms`: what an operator should know of now, and what to type. */
import { listAlarms } from '../../db/alarms.ts';
import { kindOf } from '../../model/alarm.ts';
import { route } from '../route.ts';
import { AlarmsAnswer } from './answers.ts';

export const alarms = [
  route({
    method: 'GET',
    path: '/alarms',
    policy: 'pumice:alarms:get_all',
    answer: AlarmsAnswer,
    cacheable: true,
    async handle({ desk }) {
      const lasting = await listAlarms(desk.db.read);
      const shown = lasting.map(({ alarm, about, message, since }) => {
        const { severity, means, advice } = kindOf(alarm);
        return { alarm, about, severity, since, message, means, advice: advice(about) };
      });
      return Buffer.from(JSON.stringify({ alarms: shown }));
    },
  }),
];
