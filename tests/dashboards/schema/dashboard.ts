// A dashboard's JSON, in Grafana's own types. They are looser than they could be: what a panel's options and queries are
// is left open by `Dashboard`, so each kind of panel gets its own types here.

import type {
  AnnotationQuery,
  Dashboard,
  DataQuery,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
} from "@grafana/schema";
import type * as Heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.d.ts";
import type * as StateTimeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";
import type { GraphFieldConfig } from "@grafana/schema";

/** The same as it stands in JSON: the values of enumerations instead of their names. */
type Plain<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

/** What the Prometheus data source adds, which the schema leaves to it. */
interface PrometheusQuery extends DataQuery {
  expr: string;
  instant: boolean;
  range: boolean;
  exemplar?: boolean;
  legendFormat: string;
  format?: "time_series" | "table" | "heatmap";
}

interface PrometheusAnnotation extends AnnotationQuery {
  expr: string;
  titleFormat: string;
  textFormat: string;
}

interface Unmapped extends Omit<FieldConfig, "custom" | "mappings"> {
  // A mapping of values is a record in Grafana, and its keys are strings in JSON.
  mappings?: Array<{ type: "value"; options: Record<string, { text?: string; color?: string; index?: number }> }>;
}

type PanelOf<Type extends string, Options, Custom> = Omit<Panel, "fieldConfig" | "options" | "targets" | "type"> & {
  type: Type;
  id: number;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  options?: Partial<Options>;
  fieldConfig: Omit<FieldConfigSource, "defaults"> & { defaults: Unmapped & { custom?: Partial<Custom> } };
  targets: PrometheusQuery[];
};

type AnyPanel =
  | PanelOf<"timeseries", TimeSeries.Options, GraphFieldConfig>
  | PanelOf<"stat", Stat.Options, never>
  | PanelOf<"heatmap", Heatmap.Options, Heatmap.FieldConfig>
  | PanelOf<"table", Table.Options, Table.FieldConfig>
  | PanelOf<"state-timeline", StateTimeline.Options, StateTimeline.FieldConfig>
  | (RowPanel & { gridPos: { x: number; y: number; w: number; h: number } });

export type DashboardJson = Plain<
  Omit<Dashboard, "annotations" | "panels"> & {
    annotations: { list: PrometheusAnnotation[] };
    panels: AnyPanel[];
  }
>;
