/**
 * QoS specs as options of an image, to which librbd keeps each client that opens it.
 *
 * The names are those of Cinder's RBD driver, whose specs mean here what they say: there `total_iops_sec_max`, a number of operations, becomes
 * `rbd_qos_bps_burst`, a number of bytes (`QOS_KEY_MAP` of cinder/volume/drivers/rbd.py).
 */
import type { Specs } from '../../model/specs.ts';

const OPTIONS: Readonly<Record<string, string>> = {
  total_iops_sec: 'rbd_qos_iops_limit',
  read_iops_sec: 'rbd_qos_read_iops_limit',
  write_iops_sec: 'rbd_qos_write_iops_limit',
  total_bytes_sec: 'rbd_qos_bps_limit',
  read_bytes_sec: 'rbd_qos_read_bps_limit',
  write_bytes_sec: 'rbd_qos_write_bps_limit',
  total_iops_sec_max: 'rbd_qos_iops_burst',
  read_iops_sec_max: 'rbd_qos_read_iops_burst',
  write_iops_sec_max: 'rbd_qos_write_iops_burst',
  total_bytes_sec_max: 'rbd_qos_bps_burst',
  read_bytes_sec_max: 'rbd_qos_read_bps_burst',
  write_bytes_sec_max: 'rbd_qos_write_bps_burst',
};

/** By option. What is no number limits nothing, and neither does a spec of another driver. */
export function limitOptions(specs: Specs): Readonly<Record<string, string>> {
  const options = Object.entries(specs).flatMap(([spec, value]): [string, string][] => {
    const [option, limit] = [OPTIONS[spec], Math.floor(Number(value))];
    return option === undefined || !(limit > 0) ? [] : [[option, String(limit)]];
  });
  return Object.fromEntries(options);
}
