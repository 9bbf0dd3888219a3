// The parts of ECharts that the console uses; loaded when the first chart is shown.
import { BarChart, CustomChart, LineChart, SankeyChart } from 'echarts/charts'
import { AxisPointerComponent, GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([LineChart, BarChart, CustomChart, SankeyChart, GridComponent, TooltipComponent, MarkLineComponent, MarkAreaComponent, AxisPointerComponent, CanvasRenderer])

export { init }
