import { CLOCKS } from "./clocks.ts";
import { CRASHES } from "./crashes.ts";
import { LATE } from "./late.ts";
import { LOST_DIRECTORIES } from "./lost-directories.ts";
import { REPAIR } from "./repair.ts";
import { RETRIES } from "./retries.ts";
import { SIBLINGS } from "./siblings.ts";
import type { Schedule } from "./schedule.ts";

export const SCHEDULES: readonly Schedule[] = [
  ...REPAIR,
  ...LATE,
  ...RETRIES,
  ...CRASHES,
  ...CLOCKS,
  ...LOST_DIRECTORIES,
  ...SIBLINGS,
];
