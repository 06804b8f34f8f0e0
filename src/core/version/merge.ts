import type { Mode } from "../bucket.ts";
import { lww } from "./lww.ts";
import type { MergeModel } from "./merge-model.ts";
import { siblings } from "./siblings.ts";

export function mergeModel(mode: Mode): MergeModel {
  switch (mode) {
    case "lww":
      return lww;
    case "siblings":
      return siblings;
  }
}
